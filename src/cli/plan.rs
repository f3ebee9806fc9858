//! `emboss plan`: what a night would do.

use super::open::Home;
use super::output::Output;
use super::{Failure, PlanArguments};
use crate::night::RunOrder;
use crate::schedule;

pub(super) async fn plan(arguments: &PlanArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let opened = home.open(output, false).await?;
    arguments.filters.check(&opened.config)?;
    let now = opened.night.store.now().await?;
    let date = arguments.date.unwrap_or_else(|| schedule::next_date(now));
    let order = RunOrder {
        institutions: arguments.filters.institution.clone(),
        manufacturers: arguments.filters.manufacturer.clone(),
        ..RunOrder::night("plan", date, schedule::cut_off(date), &opened.holder)
    };
    let plan = opened.night.plan(&order).await?;
    output.say(&plan);
    output.object(&plan.to_json());
    Ok(0)
}
