"""scikit-learn's tests of its MLP, as installed, with geartrain's classes in their place.

`sklearn_suite.md` lists the tests that do not apply, with the reasons.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

sklearn = pytest.importorskip("sklearn")
import sklearn.neural_network  # noqa: E402
from sklearn.neural_network.tests import __file__ as folder  # noqa: E402

import geartrain  # noqa: E402

# Test name: reason, as in sklearn_suite.md.
NOT_APPLICABLE = {
    "test_gradient": "calls the private method _loss_grad_lbfgs with scikit-learn's buffers",
}

with pytest.MonkeyPatch.context() as patch:
    patch.setattr(sklearn.neural_network, "MLPClassifier", geartrain.MLPClassifier)
    patch.setattr(sklearn.neural_network, "MLPRegressor", geartrain.MLPRegressor)
    spec = importlib.util.spec_from_file_location("sklearn_test_mlp", Path(folder).with_name("test_mlp.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
for name, function in vars(module).items():
    if name.startswith("test_"):
        if name in NOT_APPLICABLE:
            function = pytest.mark.skip(reason=NOT_APPLICABLE[name])(function)
        setattr(sys.modules[__name__], name, function)


@pytest.fixture
def global_random_seed():
    return 42
