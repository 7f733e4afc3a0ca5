"""Those who listen for news."""

import threading

from perdure.backend import News, Wakeups

from .races import WITHIN


class Listener:
    """Somebody who listens in a thread of its own."""

    def __init__(self, wakeups: Wakeups) -> None:
        self.heard: list[News] = []
        self.wakeups = wakeups
        self.readied = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self._ready.wait(WITHIN), "it never got ready"

    def _listen(self) -> None:
        self.wakeups.listen(self._hear, ready=self._get_ready)

    def _get_ready(self) -> None:
        self.readied += 1
        self._ready.set()

    def _hear(self, news: News) -> None:
        self.heard.append(news)

    def hears(self, news: News) -> bool:
        """Whether these news, or that there are some, have come since it was asked last."""
        heard, self.heard = self.heard, []
        return bool({news, News.CHANGED} & {*heard})

    def end(self) -> bool:
        """Close it; whether it has returned."""
        self.wakeups.close()
        self._thread.join(WITHIN)
        return not self._thread.is_alive()
