"""Whom the probes are about: contacts as real workspaces have them."""

from dataclasses import dataclass

from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.scene import Person, Scene


@dataclass(frozen=True, slots=True)
class People:
    """The contacts of a run.

    Attributes:
        upper: a user whose email was sent in mixed case.
        namesake: another user of that email, if Intercom allows one.
        plus: a user with a plus sign in the email.
        lead: a lead with the same email as `plus`, to be merged into that user.
        unicode: a user whose email is not ASCII, if Intercom allows it.
    """

    upper: Person
    namesake: Person | None
    plus: Person
    lead: Person
    unicode: Person | None

    @property
    def emails(self) -> list[str]:
        """The addresses of all, as we send them: in lower case, each once."""
        found = [one.email.lower() for one in (self.upper, self.plus, self.unicode) if one]
        return list(dict.fromkeys(found))


def create_people(scene: Scene) -> tuple[People, list[Finding]]:
    """Create them; what their creation tells.

    Raises:
        WorkspaceError: Intercom refuses one that the run cannot do without.
    """
    shared = scene.email("Ana").replace("dinmo", "Dinmo")
    upper = scene.person(role="user", email=shared, external_id=f"{scene.run}-1")
    scene.api.sleep(1.5)  # so that times of creation, in whole seconds, differ
    refusal, namesake = scene.create(role="user", email=shared, external_id=f"{scene.run}-2")
    plus = scene.person(role="user", email=scene.email("ben+test"), external_id=f"{scene.run}-3")
    lead = scene.person(role="lead", email=plus.email)
    unicode_refusal, unicode = scene.create(
        role="user", email=scene.email("josé"), external_id=f"{scene.run}-4"
    )
    findings = [
        Finding(
            "Which spelling of an email is stored?",
            "as it was sent",
            f"{upper.email} became {upper.stored_email}",
            upper.stored_email == upper.email if upper.stored_email else None,
        ),
        Finding(
            "May two users with different external ids share an email?",
            "yes",
            "yes" if namesake else f"no: {refusal.words}",
            namesake is not None,
        ),
        Finding(
            "May an email have letters beyond ASCII?",
            "yes",
            f"yes, stored as {unicode.stored_email}" if unicode else f"no: {unicode_refusal.words}",
            unicode is not None,
        ),
    ]
    return People(upper, namesake, plus, lead, unicode), findings
