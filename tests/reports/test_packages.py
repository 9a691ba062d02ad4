import sys

import pytest

from pifnet_cli.errors import DependencyError
from pifnet_cli.reports.packages import require_report_packages


def test_with_all_packages_nothing_is_said() -> None:
    require_report_packages()


@pytest.mark.parametrize("name", ["jinja2", "matplotlib"])
def test_an_absent_package_is_told_with_the_command_that_installs_it(monkeypatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # as Python marks what cannot be imported
    with pytest.raises(DependencyError, match=rf"--report: needs {name}; install with: pip install 'pifnet\[report\]'"):
        require_report_packages()
