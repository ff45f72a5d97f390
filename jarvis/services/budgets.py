"""How often somebody may ask (AUTH_MODE=jwt): each kind of request has a budget of its own."""

from uuid import UUID

from jarvis.core.identity import Allowance, Rate, RateLimiter
from jarvis.services.identity import Budget

SIGN_INS = Rate(requests=5, window_s=60)
"""Of one account, from wherever (the contract's section 10): passwords are not to be guessed."""


class Budgets:
    """Every budget is `rate`, for each user, and for each address that has not signed in."""

    def __init__(self, limiter: RateLimiter, rate: Rate) -> None:
        self._limiter = limiter
        self.rate = rate

    async def take_of_user(self, budget: Budget, user_id: UUID) -> Allowance:
        return await self._limiter.take(f"{budget} user {user_id.hex}", self.rate)

    async def take_of_address(self, budget: Budget, address: str) -> Allowance:
        return await self._limiter.take(f"{budget} address {address}", self.rate)

    async def take_sign_in(self, account: str) -> Allowance:
        return await self._limiter.take(f"account {account}", SIGN_INS)
