# Runs one test function on the Unix port: run_on_port.py FILE FUNCTION. Exit 77 is a skip.
import sys

_file, _name = sys.argv[1], sys.argv[2]
_scope = {"__name__": "firmware_test", "__file__": _file}
_status = 0
try:
    with open(_file) as _f:
        _source = _f.read()
    exec(compile(_source, _file, "exec"), _scope)
    del _source
    _result = _scope[_name]()
    if hasattr(_result, "send"):
        import asyncio

        asyncio.run(_result)
except SystemExit as e:
    _status = e.value if isinstance(e.value, int) else 1
except BaseException as e:  # noqa: BLE001 - whatever it was, it is reported
    sys.print_exception(e)
    _status = 77 if type(e).__name__ == "SkipTest" else 1
sys.exit(_status)
