import asyncio
from datetime import timedelta

import perdure

VOTE = perdure.Topic("vote", bool)
CANDIDATE = perdure.Event("candidate", str)
LONG = timedelta(days=30)


@perdure.workflow
async def member() -> bool:
    return await perdure.areceive(VOTE, timeout=LONG, default=False)


@perdure.workflow
async def council(size: int) -> str:
    calls = [member.bind().options(id=f"member-{number}") for number in range(size)]
    members = await perdure.astart_children(calls)
    CANDIDATE.set("Ada")
    first = await perdure.afirst(members)  # recorded, unlike a race of tasks
    votes = await asyncio.gather(*(one.aresult() for one in members))
    return f"{sum(votes)} of {len(votes)}, {first.id} was the first"


engine = perdure.Engine("sqlite:///council.db")

if __name__ == "__main__":
    with engine, engine.worker():
        election = engine.start(council, 3, id="election")
        print("vote for", election.event(CANDIDATE))
        for name, vote in (("member-1", True), ("member-0", False), ("member-2", True)):
            voter = engine.handle(name, member)
            voter.send(VOTE, vote, key="ballot")
            voter.result()
        print(election.result())
