"""The stubs name the same parameters, with the same defaults, as the code."""

import ast
import inspect
from pathlib import Path

import geartrain


def functions(path):
    """Every function of a stub: its class or None, and its syntax."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            yield from ((node.name, part) for part in node.body if isinstance(part, ast.FunctionDef))
        elif isinstance(node, ast.FunctionDef):
            yield None, node


def test_signatures():
    compared = 0
    for module, name in [(geartrain, "__init__"), (geartrain.optim, "optim"), (geartrain.lab, "lab")]:
        for owner, stub in functions(Path(geartrain.__file__).with_name(f"{name}.pyi")):
            scope = module if owner is None else getattr(module, owner, None)
            function = getattr(scope, stub.name, None)
            if scope is None or not inspect.isfunction(function):
                continue
            real = inspect.signature(function).parameters
            arguments = stub.args.args + stub.args.kwonlyargs
            assert [a.arg for a in arguments] == [n for n in real if real[n].kind.name != "VAR_KEYWORD"], (owner, stub.name)
            defaults = stub.args.defaults + [d for d in stub.args.kw_defaults if d is not None]
            expected = [p.default for p in real.values() if p.default is not p.empty]
            assert [ast.literal_eval(d) for d in defaults] == expected, (owner, stub.name)
            compared += 1
    assert compared > 20


def test_marker():
    assert Path(geartrain.__file__).with_name("py.typed").exists()
