"""Whether the packages that a page needs are installed; they are loaded only where a page is asked for."""

from importlib.util import find_spec

from pifnet_cli.errors import DependencyError

PACKAGES = ("jinja2", "matplotlib")


def require_report_packages() -> None:
    """Refuse a page that could not be made, before anything is computed.

    Raises:
        DependencyError: A package is absent.
    """
    absent = [name for name in PACKAGES if find_spec(name) is None]
    if absent:
        raise DependencyError(
            f"--report: needs {' and '.join(absent)}; install with: pip install 'pifnet[report]', or leave the option "
            "out"
        )
