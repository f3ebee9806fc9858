//! usageLimits and regionAndEcommBlocking (S1): their shape is checked, nothing of them is kept.

use super::error::Refusal;
use super::fields::Fields;
use super::text::TextRule;

/// Far more than any period or transaction type the API knows.
const MAX_ENTRIES: usize = 100;
const CODE: TextRule = TextRule::free(1, 32);

/// The switches of S1, in its order.
const REGIONS: [&str; 8] = ["ecomm", "africa", "asia", "europe", "home", "northAmerica", "oceania", "southAmerica"];

/// Checks both objects of a body.
///
/// # Errors
/// The first field that is not as it must be.
pub fn check_limits(body: &mut Fields) -> Result<(), Refusal> {
    if let Some(mut regions) = body.object("regionAndEcommBlocking")? {
        for region in REGIONS {
            regions.boolean(region)?;
        }
        regions.end()?;
    }
    for mut period in body.objects("usageLimits", MAX_ENTRIES)?.unwrap_or_default() {
        let code = period.text("code", &CODE)?;
        period.required("code", code)?;
        for value in period.objects("values", MAX_ENTRIES)?.unwrap_or_default() {
            check_value(value)?;
        }
        period.end()?;
    }
    Ok(())
}

fn check_value(mut value: Fields) -> Result<(), Refusal> {
    let code = value.text("code", &CODE)?;
    value.required("code", code)?;
    value.boolean("reset")?;
    value.amount("singleAmount")?;
    value.whole("count", 0..=i64::from(i32::MAX))?;
    value.amount("sumAmount")?;
    value.end()
}
