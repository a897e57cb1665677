"""Every dependency's telemetry and every download at run time, off unless the user's environment says otherwise."""

import os
from collections.abc import Mapping
from typing import Final

OFF: Final[Mapping[str, str]] = {
    "DO_NOT_TRACK": "1",  # evidently's UI
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else an import fetches a price list
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
}


def switch_off() -> None:
    """Sets the switches in this process and its children; call before the libraries are imported."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
