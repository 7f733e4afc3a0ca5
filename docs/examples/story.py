import perdure

WORDS = perdure.Stream("words", str)


@perdure.step(retries=perdure.Retry(attempts=2))
def tell() -> int:
    words = ["once", "upon", "a", "time"]
    for word in words:
        WORDS.write(word)
        if word == "upon" and perdure.current_step().attempt == 1:
            raise ConnectionError("the teller went away")
    return len(words)


@perdure.workflow
def story() -> int:
    WORDS.write("listen")
    return tell()


engine = perdure.Engine("sqlite:///story.db")

if __name__ == "__main__":
    with engine, engine.worker():
        heard: dict[tuple[str, int], list[str]] = {}
        for item in engine.start(story, id="story-1").read(WORDS):
            if (item.step, item.attempt) not in heard:
                heard = {key: said for key, said in heard.items() if key[0] != item.step}
            heard.setdefault((item.step, item.attempt), []).append(item.value)
        print([" ".join(said) for said in heard.values()])
