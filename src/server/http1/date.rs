//! The field `Date` (RFC 9110 6.6.1), made once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

thread_local! {
    /// The second since the epoch, and the field's line of it.
    static LINE: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends the field's line.
pub(super) fn write(out: &mut Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LINE.with_borrow_mut(|(second, line)| {
        if *second != now {
            (*second, *line) = (now, self::line(now));
        }
        out.extend_from_slice(line.as_bytes());
    });
}

fn line(second: u64) -> String {
    let at = i64::try_from(second).ok().and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let day = DAYS.get(usize::from(at.weekday().number_days_from_monday())).unwrap_or(&"Mon");
    let month = MONTHS.get(usize::from(u8::from(at.month())).wrapping_sub(1)).unwrap_or(&"Jan");
    let (hour, minute, second) = at.to_hms();
    let (date, year) = (at.day(), at.year());
    format!("date: {day}, {date:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT\r\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_date_is_written_as_the_standard_has_it() {
        assert_eq!(super::line(784_111_777), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
        assert_eq!(super::line(0), "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
    }
}
