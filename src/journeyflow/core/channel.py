"""What messages go by."""

from __future__ import annotations

from typing import Literal

Channel = Literal["email", "sms", "push"]
