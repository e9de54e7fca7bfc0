"""The one error that reading declarations raises."""

from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.config.strict_yaml.rendering import render


class ConfigError(Exception):
    """The declarations cannot be used; `problems` says why, sorted by place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """Every problem, rendered for a person."""
        return render(self.problems)
