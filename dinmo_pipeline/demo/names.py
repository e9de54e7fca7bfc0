"""Where the shop's customers live, and names that are common there."""

import unicodedata
from dataclasses import dataclass
from typing import Final


def _listed(names: str) -> tuple[str, ...]:
    """`"Anna, Zoë"` as a tuple; forty quoted strings would be hard to read."""
    return tuple(names.split(", "))


@dataclass(frozen=True, slots=True)
class Country:
    """One of the shop's markets; `share` is its percentage of the customers.

    A name in another script carries its Latin form for the email address: `Ελένη|eleni`.
    """

    code: str
    share: int
    mail_domains: tuple[str, ...]
    cities: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


COUNTRIES: Final = (
    Country(
        "FR",
        24,
        ("example.com", "courriel.example", "post.example.org"),
        _listed("Paris, Lyon, Marseille, Lille, Nantes, Bordeaux, Toulouse, Saint-Étienne"),
        _listed(
            "Amélie, Antoine, Aurélien, Camille, Chloé, Clément, Élodie, Émile, Fanny, Gaëlle, "
            "Hélène, Hugo, Inès, Jérôme, Léa, Loïc, Maëlys, Mathieu, Noémie, Océane, Quentin, "
            "Rémi, Solène, Thibault, Yasmine, Zoé"
        ),
        _listed(
            "Aubert, Barbier, Besson, Carpentier, Chevalier, Colin, Delmas, Fabre, Fontaine, "
            "Gaillard, Guérin, Hervé, Jacquet, Lambert, Le Goff, Lemaître, Marchand, Masson, "
            "Noël, Perrin, Renard, Rivière, Rousseau, Sauvage, Tessier, Vasseur"
        ),
    ),
    Country(
        "DE",
        14,
        ("example.org", "briefkasten.example", "post.example.net"),
        _listed("Berlin, Hamburg, München, Köln, Leipzig, Düsseldorf, Nürnberg"),
        _listed(
            "Anke, Björn, Clara, Dörte, Emil, Frieda, Günther, Hanna, Ida, Jürgen, Katharina, "
            "Lukas, Mathilda, Niklas, Oskar, Paula, Ruth, Sören, Tilda, Ursula"
        ),
        _listed(
            "Albrecht, Böhm, Brandt, Dietrich, Engel, Fröhlich, Großmann, Hartmann, Jäger, "
            "Köhler, Lorenz, Möller, Neumann, Pohl, Rößler, Schäfer, Schütz, Vogel, Weiß, Ziegler"
        ),
    ),
    Country(
        "BE",
        9,
        ("example.net", "brievenbus.example"),
        _listed("Brussels, Antwerpen, Gent, Liège, Namur, Leuven"),
        _listed("Anouk, Benoît, Dries, Elise, Femke, Griet, Joke, Lotte, Maxime, Pieter, Renée"),
        _listed(
            "Claes, De Smet, Dubois, Goossens, Jacobs, Lejeune, Maes, Peeters, Vandenberghe, "
            "Van Damme, Willems"
        ),
    ),
    Country(
        "GB",
        9,
        ("example.com", "mail.example.net"),
        _listed("London, Leeds, Bristol, Cardiff, Glasgow, Newcastle upon Tyne"),
        _listed("Alfie, Beth, Callum, Daisy, Ewan, Freya, Gareth, Imogen, Jasper, Nia, Rhys, Tess"),
        _listed(
            "Abbott, Barlow, Carver, Dawson, Ellery, Fletcher, Hartley, Kershaw, Lloyd-Price, "
            "Mercer, Penrose, Thorne"
        ),
    ),
    Country(
        "ES",
        8,
        ("example.org", "correo.example"),
        _listed("Madrid, Barcelona, Sevilla, Bilbao, Málaga, A Coruña"),
        _listed("Álvaro, Begoña, Carmen, Iñaki, Jesús, Lucía, Marta, Núria, Óscar, Rocío, Íñigo"),
        _listed("Álvarez, Castro, Domínguez, Fuentes, Gil, Ibáñez, Marín, Muñoz, Núñez, Peña, Vázquez"),
    ),
    Country(
        "IT",
        8,
        ("example.net", "posta.example"),
        _listed("Milano, Roma, Torino, Bologna, Napoli, Forlì"),
        _listed("Alessia, Bruno, Chiara, Dario, Elisa, Fabio, Giulia, Luca, Nicolò, Sofia, Tommaso"),
        _listed("Bianchi, Caruso, Conti, D'Amico, De Santis, Ferri, Gallo, Longo, Marini, Rinaldi, Sala"),
    ),
    Country(
        "NL",
        7,
        ("example.com", "brievenbus.example"),
        _listed("Amsterdam, Rotterdam, Utrecht, Groningen, 's-Hertogenbosch"),
        _listed("Bram, Daan, Eefje, Fleur, Gijs, Jasmijn, Koen, Maud, Noor, Sanne, Thijs, Chloë"),
        _listed(
            "Bakker, de Boer, de Vries, Hoekstra, Kuipers, Mulder, Postma, van Dijk, van den Berg, "
            "Visser, Zijlstra"
        ),
    ),
    Country(
        "SE",
        4,
        ("brevlada.example", "example.org"),
        _listed("Stockholm, Göteborg, Malmö, Umeå"),
        _listed("Åsa, Elsa, Göran, Linnéa, Märta, Nils, Saga, Sixten, Tove, Viggo"),
        _listed("Åkesson, Bergström, Dahl, Ekström, Holmgren, Lindqvist, Nyström, Sjöberg, Öberg"),
    ),
    Country(
        "PL",
        4,
        ("poczta.example", "example.net"),
        _listed("Warszawa, Kraków, Łódź, Wrocław, Gdańsk"),
        _listed("Agnieszka, Bartłomiej, Grażyna, Kinga, Łukasz, Małgorzata, Paweł, Zofia, Żaneta"),
        _listed("Baran, Dąbek, Gajewska, Jabłoński, Kozioł, Łuczak, Mróz, Wąs, Zięba"),
    ),
    Country(
        "NO",
        3,
        ("example.com", "postkasse.example"),
        _listed("Oslo, Bergen, Trondheim, Tromsø"),
        _listed("Astrid, Bjørn, Eirik, Håkon, Ingrid, Jørgen, Live, Sølvi, Tuva"),
        _listed("Aas, Bakke, Fjeld, Haugen, Lønning, Moen, Nygård, Sæther, Ødegård"),
    ),
    Country(
        "DK",
        3,
        ("example.net", "postkasse.example"),
        _listed("København, Aarhus, Odense, Rønne"),
        _listed("Asger, Bodil, Freja, Karen Marie, Mads, Nanna, Rasmus, Søren, Åse"),
        _listed("Bach, Dalgaard, Friis, Højgaard, Kjær, Lund, Møller, Nørgaard, Østergaard"),
    ),
    Country(
        "FI",
        2,
        ("posti.example", "example.org"),
        _listed("Helsinki, Espoo, Tampere, Jyväskylä"),
        _listed("Aino, Eero, Helmi, Jyrki, Päivi, Sampo, Tuulikki, Väinö"),
        _listed("Hämäläinen, Järvinen, Korhola, Laitinen, Mäkelä, Niemi, Pöyhönen, Virtala"),
    ),
    Country(
        "IE",
        2,
        ("example.com", "mail.example.net"),
        _listed("Dublin, Cork, Galway, Dún Laoghaire"),
        _listed("Aoife, Ciarán, Dónal, Niamh, Oisín, Róisín, Sadhbh"),
        _listed("Brennan, Ó Briain, O'Dwyer, O'Hara, Kinsella, Ní Mháille, Tierney"),
    ),
    Country(
        "GR",
        2,
        ("example.org", "tachydromeio.example"),
        _listed("Αθήνα, Θεσσαλονίκη, Πάτρα"),
        _listed("Ελένη|eleni, Γιώργος|giorgos, Δήμητρα|dimitra, Νίκος|nikos, Σοφία|sofia"),
        _listed("Αλεξίου|alexiou, Καρράς|karras, Λάμπρου|lamprou, Ρήγας|rigas, Χρηστίδης|christidis"),
    ),
    Country(
        "JP",
        1,
        ("example.net",),
        _listed("東京, 大阪, 札幌"),
        _listed("陽菜|hina, 健太|kenta, 美咲|misaki, 翔|sho, 由美|yumi"),
        _listed("青木|aoki, 藤田|fujita, 小川|ogawa, 松井|matsui, 山口|yamaguchi"),
    ),
)

NORDIC: Final = ("NO", "SE", "DK", "FI")

# Letters that Unicode does not split into a base letter and a mark.
_LATIN: Final = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "ł": "l", " ": ""})


def written(name: str) -> str:
    """The name in its own script: `Ελένη|eleni` → `Ελένη`."""
    return name.partition("|")[0]


def in_mail_address(name: str) -> str:
    """The name as in an email address: `Ødegård` → `odegard`, `Ελένη|eleni` → `eleni`.

    An apostrophe stays: it is legal in an address, and a good test of quoting.
    """
    own, _, latin = name.partition("|")
    letters = unicodedata.normalize("NFD", (latin or own).lower().translate(_LATIN))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
