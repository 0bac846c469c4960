//! What is in the shop when it opens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::shop::{Book, Profile, Shop};

/// The session of the user `curl`, so that one line in a terminal can post. It opens nothing that a
/// login without password does not.
pub(in crate::demo) const CURL_TOKEN: &str = "demo";

/// A room and what was said in it: when, by whom, what.
struct Seed {
    profile: Profile,
    said: &'static [(At, &'static str, &'static str)],
}

/// When something was said. Hours are UTC and in the afternoon, which is daytime for most readers.
enum At {
    /// Minutes before the shop opens.
    Ago(u64),
    /// Days before, at that hour and minute.
    Day(u64, u64, u64),
}

impl At {
    fn before(&self, now: SystemTime) -> SystemTime {
        let second_of_day = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % DAY;
        let seconds = match self {
            At::Ago(minutes) => minutes * 60,
            At::Day(days, hour, minute) => {
                (days * DAY + second_of_day).saturating_sub(hour * 3600 + minute * 60)
            }
        };
        now.checked_sub(Duration::from_secs(seconds)).unwrap_or(now)
    }
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Fills the shop.
pub(super) fn fill(shop: &mut Shop, now: SystemTime) {
    for Seed { profile, said } in rooms() {
        let id = profile.id;
        shop.add_room(profile);
        for (at, name, content) in said {
            let Ok(user) = shop.user_named(name) else { continue };
            // Nobody here speaks in a room that is shut to them; a test counts what was said.
            let _ = shop.post(&user, id, (*content).to_owned(), at.before(now));
        }
    }
    if let Ok(user) = shop.user_named("curl") {
        shop.begin(CURL_TOKEN.to_owned(), &user);
    }
}

fn rooms() -> [Seed; 6] {
    [dispossessed(), cookery(), back_office(), poetry(), atlases(), wanted()]
}

fn dispossessed() -> Seed {
    Seed {
        profile: Profile {
            id: 1,
            name: "The Dispossessed, first edition",
            description: "In the glass case by the till. Questions, offers, reverence.",
            staff_only: false,
            book: Some(Book {
                title: "The Dispossessed",
                author: "Ursula K. Le Guin",
                imprint: "Harper & Row, 1974",
                condition: "Very good in a good jacket, spine a little sunned",
                price: "€ 240",
            }),
        },
        said: &[
            (At::Day(2, 14, 6), "Jonas", "Is this the true first? The catalogue only says 1974."),
            (
                At::Day(2, 14, 15),
                "Marta",
                "It is. Harper & Row, first printing, number line complete on the last page.",
            ),
            (At::Day(2, 14, 16), "Marta", "The jacket has two closed tears at the head. No price clip."),
            (At::Day(2, 15, 1), "Jonas", "Then I am coming in on Saturday."),
            (
                At::Day(1, 16, 32),
                "Odile",
                "I read it in one sitting, standing, at the window table. Sorry about that.",
            ),
            (At::Day(1, 16, 38), "Marta", "That is what the window table is for."),
            (At::Ago(47), "Theo", "Has it gone yet?"),
            (At::Ago(44), "Marta", "Still here. Jonas has first refusal until six."),
            (At::Ago(43), "Marta", "After that it is anybody’s."),
            (At::Ago(38), "Theo", "I shall be the person pretending to look at the maps."),
        ],
    }
}

fn cookery() -> Seed {
    Seed {
        profile: Profile {
            id: 2,
            name: "Cookery shelf",
            description: "What came in, what stained it, what to make of it.",
            staff_only: false,
            book: Some(Book {
                title: "French Provincial Cooking",
                author: "Elizabeth David",
                imprint: "Michael Joseph, 1960",
                condition: "A working copy: butter on the omelettes, wine on the daubes",
                price: "€ 35",
            }),
        },
        said: &[
            (
                At::Day(2, 12, 50),
                "Ines",
                "Three boxes from a house in the hills. Mostly French, mostly annotated.",
            ),
            (At::Day(2, 12, 58), "Odile", "Annotated how?"),
            (At::Day(2, 13, 1), "Ines", "“More garlic.” On every page, in three different hands."),
            (At::Day(1, 15, 20), "Theo", "Would anybody object if I cooked from it before buying?"),
            (At::Day(1, 15, 26), "Ines", "Only if you bring it back without a sample."),
        ],
    }
}

fn back_office() -> Seed {
    Seed {
        profile: Profile {
            id: 3,
            name: "Back office",
            description: "Buying, keys and the leak above Philosophy. Staff only.",
            staff_only: true,
            book: None,
        },
        said: &[
            (At::Day(1, 13, 40), "staff Ruth", "The leak above Philosophy is back. Kant is under a bucket."),
            (
                At::Day(1, 13, 48),
                "staff Emil",
                "Plumber comes at nine tomorrow. I moved the Stoics, they did not complain.",
            ),
            (At::Ago(21), "staff Ruth", "House call in Mill Lane at four: about two hundred books, one cat."),
        ],
    }
}

fn poetry() -> Seed {
    Seed {
        profile: Profile {
            id: 4,
            name: "Poetry in translation",
            description: "One poem a week, as many versions as we can find.",
            staff_only: false,
            book: Some(Book {
                title: "View with a Grain of Sand",
                author: "Wisława Szymborska",
                imprint: "Harcourt Brace, 1995",
                condition: "Near fine paperback, a tram ticket at page 48",
                price: "€ 14",
            }),
        },
        said: &[
            (
                At::Day(5, 12, 10),
                "Odile",
                "This week: the same eight lines, four translators. Bring a pencil.",
            ),
            (At::Day(5, 14, 2), "Jonas", "The third one is a different poem. A better one, possibly."),
            (
                At::Day(1, 17, 12),
                "Ines",
                "The tram ticket stays in the book. I am told it is part of the edition.",
            ),
        ],
    }
}

fn atlases() -> Seed {
    Seed {
        profile: Profile {
            id: 5,
            name: "Atlases and maps",
            description: "Too large for the shelf, so they have the floor.",
            staff_only: false,
            book: Some(Book {
                title: "The Times Atlas of the World, vol. IV",
                author: "John Bartholomew, ed.",
                imprint: "The Times, 1956",
                condition: "Good; boards rubbed, plates clean and bright",
                price: "€ 60",
            }),
        },
        said: &[
            (At::Day(4, 16, 44), "Theo", "Volume IV alone is sad. Does anybody have I to III?"),
            (At::Day(4, 16, 53), "Marta", "III is in the window, propping up II."),
        ],
    }
}

fn wanted() -> Seed {
    Seed {
        profile: Profile {
            id: 6,
            name: "Wanted",
            description: "Books people are looking for. Say so if you have seen one.",
            staff_only: false,
            book: None,
        },
        said: &[
            (
                At::Day(3, 14, 30),
                "Jonas",
                "A paperback with a green lighthouse on it. That is all I remember, I was seven.",
            ),
            (At::Day(3, 14, 39), "Ines", "Was there a dog?"),
            (At::Day(3, 14, 41), "Jonas", "THERE WAS A DOG"),
            (At::Day(3, 14, 44), "Ines", "Second floor, children’s, bottom left."),
        ],
    }
}
