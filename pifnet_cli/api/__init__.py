"""pifnet from Python: the commands as functions, with their options' names and defaults, a module for each.

    import pifnet_cli as pifnet

Paths are `str` or `Path`. A choice is one of the words that the command line takes. Failures are
`pifnet_cli.errors.PifnetError`, whose message says what is wrong, where, and what to do; `SettingsError` means that an
option makes no sense, and that nothing was read. `progress` is called with the stage's name, steps done, and steps in
all. The command line calls these functions too.
"""
