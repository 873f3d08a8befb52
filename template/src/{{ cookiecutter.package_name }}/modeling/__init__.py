"""Step 5: candidates, and how their scores become predictions."""

# A stored model may be made of the estimators of scikit-learn, of the library's, and of the classes
# named here: your own, as "package.module.Class".
TRUSTED: list[str] = []
