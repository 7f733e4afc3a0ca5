import perdure

STATE = perdure.Event("state", str)


@perdure.step
def give_back(what: str) -> None:
    print("give back", what)


@perdure.workflow
def book(what: str) -> str:
    if what == "car":
        raise ValueError("no car left")
    return f"{what} booked"


@perdure.workflow
def travel() -> list[str]:
    booked: list[str] = []
    for what in ("flight", "hotel", "car"):
        perdure.compensate(give_back, what)  # before what it undoes
        booked.append(book(what))  # a child of its own, and its end
        STATE.set(booked[-1])
    return booked


engine = perdure.Engine("sqlite:///trip.db")

if __name__ == "__main__":
    with engine, engine.worker():
        trip = engine.start(travel, id="trip-7")
        try:
            trip.result()
        except ValueError as error:
            print(error, "after", trip.event(STATE))
