"""`python -m pifnet_cli` is `pifnet`."""

from pifnet_cli.app import main

if __name__ == "__main__":
    main()
