"""The page for people, in a real browser."""

import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Environment
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("chromedriver"), reason="needs chromium and chromedriver"),
]

WIDE, PHONE = 1200, 360
KEY = "not-easily-guessed"


@pytest.fixture(scope="module")
def classification_service(
    finished: Callable[[str], Path], environment: Environment
) -> Iterator[str]:
    with environment.serve(finished("classification")) as address:
        yield address


@pytest.fixture(scope="module")
def regression_service(finished: Callable[[str], Path], environment: Environment) -> Iterator[str]:
    with environment.serve(finished("regression")) as address:
        yield address


@pytest.fixture(scope="module")
def clustering_service(finished: Callable[[str], Path], environment: Environment) -> Iterator[str]:
    with environment.serve(finished("clustering")) as address:
        yield address


@pytest.fixture(scope="module")
def forecasting_service(finished: Callable[[str], Path], environment: Environment) -> Iterator[str]:
    with environment.serve(finished("forecasting")) as address:
        yield address


@pytest.fixture(scope="module")
def locked_service(
    finished: Callable[[str], Path], environment: Environment, tmp_path_factory
) -> Iterator[str]:
    """Forecast for those who show a key."""
    project = tmp_path_factory.mktemp("locked") / "project"
    shutil.copytree(finished("forecasting"), project)
    definition = project / "project.toml"
    text = definition.read_text(encoding="utf-8")
    definition.write_text(text.replace('api_keys = ""', 'api_keys = "env:KEYS"'), encoding="utf-8")
    with environment.serve(project, KEYS=KEY) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as driver:
        yield driver


def open_page(browser: WebDriver, address: str, width: int = WIDE, shown: str = "form") -> None:
    # A window cannot be narrower than 500 pixels, but the device it pretends to be can.
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(address + "/")
    wait(browser, lambda: element(browser, shown).is_displayed())


def enter_key(browser: WebDriver, key: str) -> None:
    element(browser, "key").clear()
    element(browser, "key").send_keys(key + "\n")


def wait(browser: WebDriver, condition) -> None:
    WebDriverWait(browser, 60).until(lambda _: condition())


def element(browser: WebDriver, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def field(browser: WebDriver, column: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f'#fields [name="{column}"]')


def predict(browser: WebDriver) -> None:
    element(browser, "predict").click()
    wait(browser, lambda: browser.find_elements(By.ID, "value"))


def errors(browser: WebDriver) -> list[str]:
    """What the console complains of, refused answers apart: the page shows those itself."""
    ours = [entry["message"] for entry in browser.get_log("browser")]
    return [message for message in ours if "422" not in message]


def get(address: str) -> dict:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def test_form_has_the_inputs_of_the_model_and_its_example(browser, classification_service):
    open_page(browser, classification_service)
    model = get(classification_service + "/model")
    for column in model["inputs"]:
        shown = field(browser, column["name"]).get_property("value")
        if column["kind"] == "number":
            assert float(shown) == column["example"]
        else:
            assert shown == str(column["example"])
    assert "Predict status" in browser.title
    assert errors(browser) == []


def test_class_is_shown_with_its_probabilities_and_feedback_is_taken(
    browser, classification_service
):
    open_page(browser, classification_service)
    model = get(classification_service + "/model")
    number = next(column for column in model["inputs"] if column["kind"] == "number")
    field(browser, number["name"]).clear()
    field(browser, number["name"]).send_keys(str(number["maximum"]))  # no typical row any more
    predict(browser)
    classes = model["classes"]
    assert element(browser, "value").text in classes
    bars = [bar.text for bar in browser.find_elements(By.CSS_SELECTOR, ".bars li")]
    assert len(bars) == len(classes)
    assert all("%" in bar for bar in bars)
    widths = browser.execute_script(
        "return [...document.querySelectorAll('.bars i')].map((bar) => parseFloat(bar.style.width))"
    )
    assert sum(widths) == pytest.approx(100)
    why = [effect.text for effect in browser.find_elements(By.CSS_SELECTOR, "#reasons dd")]
    assert 0 < len(why) <= 5
    assert all(effect[0] in "+-" for effect in why)

    Select(element(browser, "truth")).select_by_visible_text(classes[0])
    browser.find_element(By.CSS_SELECTOR, "#feedback button").click()
    wait(browser, lambda: element(browser, "thanks").is_displayed())
    assert classes[0] in element(browser, "thanks").text
    assert errors(browser) == []


def test_number_is_shown_within_its_interval(browser, regression_service):
    open_page(browser, regression_service)
    predict(browser)
    value = float(element(browser, "value").text.replace(",", ""))
    low, high = (
        float(end.get_attribute("textContent").replace(",", ""))
        for end in browser.find_elements(By.CSS_SELECTOR, ".ends span")
    )
    assert low <= value <= high
    element(browser, "truth").send_keys("123000")
    browser.find_element(By.CSS_SELECTOR, "#feedback button").click()
    wait(browser, lambda: element(browser, "thanks").is_displayed())
    assert errors(browser) == []


def test_cluster_is_shown_with_its_distance_and_what_it_is_like(browser, clustering_service):
    open_page(browser, clustering_service)
    assert "Find the cluster" in browser.title
    predict(browser)
    model = get(clustering_service + "/model")
    cluster = element(browser, "value").text
    assert cluster in model["profiles"]
    shown = element(browser, "result").text
    assert model["profiles"][cluster] in shown
    assert "Distance" in shown
    Select(element(browser, "truth")).select_by_visible_text(cluster)
    browser.find_element(By.CSS_SELECTOR, "#feedback button").click()
    wait(browser, lambda: element(browser, "thanks").is_displayed())
    assert errors(browser) == []


def test_forecast_is_drawn_with_its_interval_in_the_page_s_own_style(browser, forecasting_service):
    open_page(browser, forecasting_service)
    element(browser, "predict").click()
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".chart .band"))
    band = browser.find_element(By.CSS_SELECTOR, ".chart .band")
    assert band.value_of_css_property("stroke") == "none"
    card = browser.find_element(By.CSS_SELECTOR, ".card")
    assert card.value_of_css_property("border-radius") != "0px"
    assert errors(browser) == []


def test_key_opens_the_page_and_is_asked_for_again_when_it_is_withdrawn(browser, locked_service):
    open_page(browser, locked_service, shown="door")
    assert not element(browser, "form").is_displayed()
    trouble = element(browser, "trouble")
    for wrong, reason in {
        "guessed": "The key is not known.",
        "\N{KEY}": "The key holds a character that HTTP cannot carry.",
    }.items():
        enter_key(browser, wrong)
        wait(browser, lambda reason=reason: trouble.text == reason)
    enter_key(browser, KEY)
    wait(browser, element(browser, "form").is_displayed)
    assert not element(browser, "door").is_displayed()
    assert not trouble.is_displayed()

    newer = element(browser, "rows")
    newer.send_keys("2010-03-01, 300")
    browser.execute_script("key = 'withdrawn'")
    element(browser, "predict").click()
    wait(browser, element(browser, "door").is_displayed)
    assert trouble.text == "The key is not known."
    form, answer = element(browser, "form"), element(browser, "answer")
    assert form.rect["y"] == answer.rect["y"], "what is wrong must not push them apart"
    enter_key(browser, KEY)
    wait(browser, lambda: not element(browser, "door").is_displayed())
    element(browser, "predict").click()
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".chart .band"))
    assert newer.get_property("value") == "2010-03-01, 300"
    first = browser.find_element(By.CSS_SELECTOR, "#forecasts th[scope]")
    assert first.text == "2010-04-01"


def test_docs_are_shown_to_whoever_gave_the_page_a_key(browser, locked_service):
    open_page(browser, locked_service, shown="main")
    browser.execute_script("sessionStorage.setItem('key', arguments[0])", KEY)
    browser.get(locked_service + "/docs")
    wait(browser, lambda: "POST /predict" in element(browser, "operations").text)


def test_error_stands_beside_its_field(browser, classification_service):
    open_page(browser, classification_service)
    age = field(browser, "age")
    age.clear()
    age.send_keys("old")
    element(browser, "predict").click()
    message = element(browser, age.get_attribute("id") + "-error")
    wait(browser, message.is_displayed)
    assert message.text == "must be a number, got 'old'"
    assert age.get_attribute("aria-invalid") == "true"
    assert browser.switch_to.active_element == age

    age.clear()
    age.send_keys("40")
    assert not message.is_displayed()
    predict(browser)


def test_warning_is_shown_with_the_answer(browser, classification_service):
    open_page(browser, classification_service)
    field(browser, "age").clear()
    predict(browser)
    assert "age is missing" in element(browser, "result").text


def test_markup_in_a_value_is_text(browser, classification_service):
    open_page(browser, classification_service)
    age = field(browser, "age")
    age.clear()
    age.send_keys("<img src=x onerror=alert(1)>")
    element(browser, "predict").click()
    wait(browser, element(browser, age.get_attribute("id") + "-error").is_displayed)
    assert browser.find_elements(By.TAG_NAME, "img") == []


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_nothing_is_wider_than_the_screen(browser, regression_service, width):
    open_page(browser, regression_service, width)
    predict(browser)
    scroll = browser.execute_script("return document.documentElement.scrollWidth")
    assert scroll <= width


def test_every_input_has_a_label_and_enter_asks(browser, regression_service):
    open_page(browser, regression_service)
    unnamed = browser.execute_script(
        "const inputs = [...document.querySelectorAll('input,select,textarea')];"
        "return inputs.filter((input) => !input.labels.length).length"
    )
    assert unnamed == 0
    field(browser, "living_area").send_keys("\n")
    wait(browser, lambda: browser.find_elements(By.ID, "value"))


def test_page_asks_no_other_machine(browser, classification_service):
    open_page(browser, classification_service)
    predict(browser)
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map((r) => r.name)"
    )
    assert asked
    assert all(name.startswith((classification_service, "data:")) for name in asked)
