import sqlite3

import perdure


@perdure.workflow
def pack(order: str) -> str:
    return f"{order} is packed"


engine = perdure.Engine("sqlite:///orders.db")


def take(connection: sqlite3.Connection, order: str) -> None:
    connection.execute("INSERT OR IGNORE INTO orders VALUES (?)", (order,))
    engine.start(pack, order, id=order, connection=connection)


if __name__ == "__main__":
    with engine, engine.worker():
        mine = sqlite3.connect("orders.db")
        mine.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)")
        take(mine, "book")
        mine.commit()
        take(mine, "lamp")
        mine.rollback()  # no order, and no workflow
        print(engine.handle("book", pack).result())
        print([found.id for found in engine.find()])
