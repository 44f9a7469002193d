"""An engine whose replies depend on the request."""

from runtime.engines.scripted import ScriptedEngine


class Answering(ScriptedEngine):
    """Replies by a function of the prefix to continue from and of how often it was requested."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.asked = answer, {}
        self.seeds, self.lazy = [], []

    def sample(self, requests, sampling, adapter=None, n=1, stop=(), cancel=None, enough=None):
        self.seeds.append(sampling.seed)
        self.lazy.append(iter(requests) is requests)
        return super().sample(requests, sampling, adapter, n, stop, cancel, enough)

    def _next(self, messages):
        begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
        request = (messages[1]["content"].split("\n")[0], begun)
        self.asked[request] = self.asked.get(request, 0) + 1
        self.replies.append(self.answer(begun, self.asked[request]))
        return super()._next(messages)

    @property
    def continued(self):
        """The requests that continue a prefix, in order; the others are for the problem alone."""
        return [call for call in self.calls if call[-1]["role"] == "assistant"]

    @property
    def beginnings(self):
        """The prefixes to continue from, in order, without immediate repetitions."""
        prefixes = [call[-1]["content"] for call in self.continued]
        return [text for i, text in enumerate(prefixes) if i == 0 or prefixes[i - 1] != text]
