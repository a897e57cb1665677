"""Neither padding nor the other sessions of a batch may change an embedding."""

from typing import Final

import numpy as np

from pipelines.pretrain.audits.subject import Subject

N_SESSIONS: Final = 64


def measure(subject: Subject) -> dict[str, float]:
    """Returns the largest difference of a number of an embedding between a session alone and one among others.

    The others are drawn over all lengths, the longest session of all among them: short ones are padded as far as it
    goes. (Libraries of the field ship poolings that count padding.)
    """
    lengths = subject.sessions.column("n_events").to_numpy()
    drawn = np.random.default_rng(subject.seed).permutation(len(lengths))[:N_SESSIONS]
    rows = np.append(drawn, lengths.argmax())
    together = subject.runtime.embed(subject.sessions.take(rows), subject.pages)
    alone = [subject.runtime.embed(subject.sessions.slice(row, 1), subject.pages)[0] for row in rows.tolist()]
    return {"padding_difference": float(np.abs(together - np.stack(alone)).max())}
