/* What the pages share; each has a function `start`, which fills its form. */
"use strict";

const RETRY = 3000; // ms until a service without a model is asked again
const SHORT = /^(roc|pr|auc|rmse|mae|mape|mase|r2|f1)$/;

const $ = (id) => document.getElementById(id);
let model = null;
let key = sessionStorage.getItem("key") || ""; // until the tab is closed

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function number(value) {
  if (typeof value !== "number") return value === null ? "unknown" : String(value);
  const digits = Math.abs(value) >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return value.toLocaleString("en", { ...digits, useGrouping: "min2" });
}

function words(name) {
  const text = name.replaceAll("_", " ").trim() || name;
  return text[0].toUpperCase() + text.slice(1);
}

function say(id, text) {
  $(id).textContent = text;
  $(id).hidden = !text;
}

function warn(text) {
  say("trouble", text);
  $("trouble").scrollIntoView({ block: "nearest" }); // the button may be far below
}

async function call(path, body) {
  const headers = key ? { Authorization: "Bearer " + key } : {};
  const request = body
    ? { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body) }
    : { headers };
  try {
    const response = await fetch(path, request);
    $("door").hidden = response.status !== 401; // a key may be withdrawn at any time
    return { status: response.status, content: await response.json() };
  } catch {
    return { status: 0, content: { detail: "The service does not answer; is it running?" } };
  }
}

/* The way in: a key, if the service asks for one, and a model */

async function begin(show) {
  const { status, content } = await call("model");
  if (status === 401) {
    $("about").textContent = "";
    say("trouble", key ? content.detail : "");
    return;
  }
  if (status !== 200) {
    say("trouble", content.detail);
    setTimeout(() => begin(show), RETRY);
    return;
  }
  if (model === null || model.version !== content.version) {
    model = content;
    show();
  }
  say("trouble", "");
  $("form").hidden = $("answer").hidden = false;
  $("main").classList.add("ready");
}

function enter(event) {
  event.preventDefault();
  key = $("key").value.trim();
  if (/[^\x20-\xff]/.test(key)) return warn("The key holds a character that HTTP cannot carry.");
  sessionStorage.setItem("key", key);
  start();
}

function about(rows) {
  const sentences = [`Model ${words(model.model).toLowerCase()}, version ${model.version}.`];
  const score = (model.test || {})[model.metric];
  if (score) {
    const name = model.metric.split("_").map((w) => (SHORT.test(w) ? w.toUpperCase() : w)).join(" ");
    const range = score.low === null ? "" : ` (${number(score.low)} to ${number(score.high)})`;
    sentences.push(`${words(name)} ${number(score.value)}${range} on ${rows}.`);
  }
  return sentences.join(" ");
}

/* What it really was */

async function tell(event, id) {
  event.preventDefault();
  const text = $("truth").value.trim();
  say("thanks", "");
  if (!text) return say("actual-error", "Give what it really was.");
  const { status, content } = await call("feedback", { id, actual: text });
  const detail = content.detail;
  const reasons = Array.isArray(detail) ? detail.map((one) => one.reason).join("; ") : detail;
  say("actual-error", status === 200 ? "" : reasons);
  $("truth").setAttribute("aria-invalid", status !== 200);
  if (status === 200) say("thanks", `Thank you. It is noted that it was ${text}.`);
}

$("door").addEventListener("submit", enter);
