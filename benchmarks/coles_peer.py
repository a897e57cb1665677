"""The peer, in its own environment (requirements-bench.txt): pytorch-lifestream's CoLES, a GRU of 64 units.

    python benchmarks/coles_peer.py INPUT.npz OUTPUT.npz

INPUT: `codes` (E,) from 1, `lengths` (N,), `n_train`. OUTPUT: `embeddings` (N, 64) and the seconds of training and of
embedding. Settings: five slices a session of 1 to 64 events, three epochs, batches of 64, Adam at .001, the best of a
small search on visits that validate (docs/LOG.md): slices of 3 events at least, as in its examples, lose much,
since most visits are hardly longer. Source: Babaev et al., arXiv 2002.08232.
"""

import logging
import sys
import time
import warnings
from functools import partial

import numpy as np
import pytorch_lightning as lightning
import torch
from ptls.data_load.utils import collate_feature_dict
from ptls.frames import PtlsDataModule
from ptls.frames.coles import CoLESModule
from ptls.frames.coles.coles_dataset import ColesDataset
from ptls.frames.coles.split_strategy import SampleSlices
from ptls.nn import RnnSeqEncoder, TrxEncoder

N_EPOCHS, BATCH_SIZE, N_SLICES, WIDTH, N_EMBEDDED = 3, 64, 5, 64, 512


def main(source: str, target: str) -> None:
    given = np.load(source)
    codes, lengths, n_train = given["codes"].astype(np.int64), given["lengths"].astype(np.int64), int(given["n_train"])
    ends = np.cumsum(lengths)
    sessions = [
        {"page": torch.from_numpy(codes[end - length : end]), "event_time": torch.arange(int(length))}
        for end, length in zip(ends, lengths, strict=True)
    ]
    lightning.seed_everything(7, verbose=False)
    encoder = RnnSeqEncoder(
        trx_encoder=TrxEncoder(embeddings={"page": {"in": int(codes.max()) + 1, "out": 16}}),
        hidden_size=WIDTH,
        type="gru",
    )
    module = CoLESModule(
        seq_encoder=encoder,
        optimizer_partial=partial(torch.optim.Adam, lr=0.001),
        lr_scheduler_partial=partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.9),
    )
    data = PtlsDataModule(
        train_data=ColesDataset(sessions[:n_train], SampleSlices(N_SLICES, 1, 64)), train_batch_size=BATCH_SIZE
    )
    trainer = lightning.Trainer(
        max_epochs=N_EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    start = time.perf_counter()
    trainer.fit(module, data)
    train_seconds = time.perf_counter() - start
    encoder.eval()
    start = time.perf_counter()
    with torch.inference_mode():
        batches = (sessions[first : first + N_EMBEDDED] for first in range(0, len(sessions), N_EMBEDDED))
        found = np.concatenate([encoder(collate_feature_dict(batch)).numpy() for batch in batches])
    embed_seconds = time.perf_counter() - start
    np.savez(target, embeddings=found, train_seconds=train_seconds, embed_seconds=embed_seconds)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    main(*sys.argv[1:])
