"""The three contacts of a run, each of them for several probes."""

from dataclasses import dataclass

from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.scene import Person, Scene


@dataclass(frozen=True, slots=True)
class People:
    """The contacts of a run.

    Attributes:
        upper: A user whose email was sent in mixed case, with a plus sign. It gets every tag of the run.
        namesake: Another user with that email, sent in lower case; with its own if Intercom refuses that.
            The lead is merged into it, and then it is archived.
        lead: A lead whose email is not ASCII, if Intercom allows that.
        share_email: Whether the two users have the same email.
    """

    upper: Person
    namesake: Person
    lead: Person
    share_email: bool

    @property
    def ids(self) -> set[str]:
        """All ids."""
        return {self.upper.id, self.namesake.id, self.lead.id}

    @property
    def emails(self) -> list[str]:
        """All emails, as the client sends them: in lower case, without duplicates."""
        emails = (one.email.lower() for one in (self.upper, self.namesake, self.lead))
        return list(dict.fromkeys(emails))


def create_people(scene: Scene) -> tuple[People, list[Finding]]:
    """Create the contacts, in one call each unless Intercom refuses an email; also what that shows.

    Raises:
        WorkspaceError: Intercom refuses even an ordinary email.
    """
    mixed_case = scene.email("Ana+test").replace("dinmo", "Dinmo")
    upper = scene.person(role="user", email=mixed_case, external_id=f"{scene.run}-1")
    scene.api.sleep(1.5)  # created_at is in whole seconds, and must differ
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
        _spelling(upper),
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


def _spelling(person: Person) -> Finding:
    return Finding(
        "Which spelling of an email is stored?",
        "as it was sent",
        f"{person.email} became {person.stored_email}",
        person.stored_email == person.email if person.stored_email else None,
    )
