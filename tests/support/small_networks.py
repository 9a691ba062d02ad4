"""Every network with numbers so small that a test can train it."""

from pifnet_cli.catalog import Method

SMALL = {
    Method.PIFNET: {"width": 8, "blocks": 1, "segments": 2, "d_state": 2},
    Method.HSRNET: {"width": 16, "blocks": 1},
    Method.FUSFORMER: {"encoder_layers": 1, "decoder_layers": 1},
    Method.PSRT: {"blocks": 1},
    Method.U2NET: {"width": 16},
    Method.DT3NET: {"operator_kernel": 5},
    Method.SMGUNET: {},
}
