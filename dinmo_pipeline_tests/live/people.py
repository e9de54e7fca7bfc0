"""Whom the probes are about: three contacts, each of them for several questions."""

from dataclasses import dataclass

from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.scene import Person, Scene


@dataclass(frozen=True, slots=True)
class People:
    """The contacts of a run.

    Attributes:
        upper: a user whose email was sent in mixed case and has a plus sign. Carries every tag of the run.
        namesake: another user of that email, sent in lower case, or of one of its own where Intercom
            refuses that. The lead is merged into it, and it is archived after that.
        lead: a lead whose email is not ASCII, where Intercom allows that.
        share_email: whether the two users have one email.
    """

    upper: Person
    namesake: Person
    lead: Person
    share_email: bool

    @property
    def ids(self) -> set[str]:
        """The ids of all."""
        return {self.upper.id, self.namesake.id, self.lead.id}

    @property
    def emails(self) -> list[str]:
        """The addresses of all, as the client sends them: in lower case, each once."""
        found = (one.email.lower() for one in (self.upper, self.namesake, self.lead))
        return list(dict.fromkeys(found))


def create_people(scene: Scene) -> tuple[People, list[Finding]]:
    """Create them, one call each unless Intercom refuses an email; what their creation tells.

    Raises:
        WorkspaceError: Intercom refuses one with an ordinary email, too.
    """
    mixed_case = scene.email("Ana+test").replace("dinmo", "Dinmo")
    upper = scene.person(role="user", email=mixed_case, external_id=f"{scene.run}-1")
    scene.api.sleep(1.5)  # so that times of creation, in whole seconds, differ
    second = {"role": "user", "external_id": f"{scene.run}-2"}
    sharing, namesake = scene.create(email=mixed_case.lower(), **second)
    accented, lead = scene.create(role="lead", email=scene.email("josé"))
    people = People(
        upper,
        namesake or scene.person(email=scene.email("bea+test"), **second),
        lead or scene.person(role="lead", email=scene.email("jose")),
        share_email=namesake is not None,
    )
    return people, [
        Finding(
            "Which spelling of an email is stored?",
            "as it was sent",
            f"{upper.email} became {upper.stored_email}",
            upper.stored_email == upper.email if upper.stored_email else None,
        ),
        Finding(
            "May two users with different external ids share an email?",
            "yes",
            "yes" if namesake else f"no: {sharing.words}",
            namesake is not None,
        ),
        Finding(
            "May an email have letters beyond ASCII?",
            "yes",
            f"yes, stored as {lead.stored_email}" if lead else f"no: {accented.words}",
            lead is not None,
        ),
    ]
