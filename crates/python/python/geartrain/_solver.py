"""The stochastic solvers: an update rule with scikit-learn's learning-rate schedules."""

from __future__ import annotations

from . import _core


class Solver:
    """SGD or Adam, with the schedule of its learning rate."""

    def __init__(self, estimator):
        self.schedule = estimator.learning_rate if estimator.solver == "sgd" else "constant"
        self.learning_rate_init = float(estimator.learning_rate_init)
        self.power_t = estimator.power_t
        if estimator.solver == "sgd":
            nesterov = bool(estimator.nesterovs_momentum and estimator.momentum > 0)
            self.rule = ("sgd", {"momentum": float(estimator.momentum), "nesterov": nesterov})
        else:
            betas = (float(estimator.beta_1), float(estimator.beta_2))
            # scikit-learn adds epsilon before the bias correction.
            options = {"betas": betas, "eps": float(estimator.epsilon), "eps_before_correction": True}
            self.rule = ("adam", options)
        self.optimizer = _core.Optimizer(self.rule[0], self.learning_rate_init, **self.rule[1])

    @property
    def learning_rate(self):
        """The learning rate of the next epoch."""
        return self.optimizer.learning_rate

    def end_epoch(self, rows):
        """Moves the schedule after `rows` training rows so far."""
        if self.schedule == "invscaling":
            self.optimizer.rescale(self.learning_rate_init / (rows + 1) ** self.power_t)

    def stops(self, message, verbose):
        """Whether to stop after too many epochs without an improvement."""
        if self.schedule != "adaptive":
            end = "Stopping."
        elif self.learning_rate <= 1e-6:
            end = "Learning rate too small. Stopping."
        else:
            self.optimizer.rescale(self.learning_rate / 5.0)
            end = f"Setting learning rate to {self.learning_rate:f}"
        if verbose:
            print(message, end)
        return end.endswith("Stopping.")

    def __getstate__(self):
        state = self.__dict__.copy()
        optimizer = state.pop("optimizer")
        return state | {"learning_rate": optimizer.learning_rate, "state": optimizer.state()}

    def __setstate__(self, state):
        rate, (steps, vectors) = state.pop("learning_rate"), state.pop("state")
        self.__dict__.update(state)
        self.optimizer = _core.Optimizer(self.rule[0], rate, **self.rule[1])
        self.optimizer.set_state(steps, vectors)
