"""An encoder trained from scratch, whatever an earlier run left."""

import shutil
from pathlib import Path

from pipelines.encoder import Encoder
from pipelines.params import Pretrain
from pipelines.pretrain.corpus import Corpus
from pipelines.pretrain.stage import trained


def fresh_encoder(corpus: Corpus, params: Pretrain, seed: int, checkpoints: Path) -> Encoder:
    """Returns an encoder that learnt from the training part of ``corpus``; ``checkpoints`` is emptied before."""
    shutil.rmtree(checkpoints, ignore_errors=True)
    made = trained(corpus, params, seed, checkpoints)
    assert made is not None  # of one process
    return made[0]
