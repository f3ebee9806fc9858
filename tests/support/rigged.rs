//! Houses that misbehave: the configured destination, with one of its answers changed.
#![allow(dead_code, reason = "every test file uses another part of this")]
#![allow(unreachable_pub, reason = "shared between test files")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use emboss::agreement::Terms;
use emboss::delivery::{DeliveryError, Identity, Place, Refusal, Remote, Seen, Step};
use emboss::night::{Night, Outbound, Patience};
use emboss::seal::Sealer;
use emboss::selection::Reason;

/// What happens at the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// It does what it is asked.
    None,
    /// This step is refused.
    Refuse(Step, Refusal),
    /// The first connections are lost at this step, so many times.
    Lose(Step, u32),
    /// The rename happens, and its answer is lost; once.
    LoseRenameAnswer,
    /// The house takes each file the moment it has its name.
    Greedy,
    /// Both of the two.
    GreedyAndLost,
    /// The process dies at this step.
    Die(Step),
    /// The n-th file (1 and up) is refused when it is created.
    RefuseFile(u32),
    /// The night is told to stop, as by SIGTERM, while this step is under way.
    StopAt(Step),
}

#[derive(Debug)]
struct Rig {
    inner: Arc<dyn Outbound>,
    stop: Arc<std::sync::atomic::AtomicBool>,
    trick: Mutex<Trick>,
    calls: Mutex<Vec<String>>,
    attempts: u32,
    only: Option<String>,
    final_folder: std::path::PathBuf,
}

/// The outbound side around the configured one.
#[derive(Debug, Clone)]
pub struct Rigged(Arc<Rig>);

impl Rigged {
    /// Puts a trick into a night; all agreements, or only the named house.
    pub fn into(night: &mut Night, trick: Trick, only: Option<&str>, final_folder: &std::path::Path) -> Self {
        let rigged = Self(Arc::new(Rig {
            inner: Arc::clone(&night.outbound),
            stop: Arc::clone(&night.stop),
            trick: Mutex::new(trick),
            calls: Mutex::default(),
            attempts: 3,
            only: only.map(str::to_owned),
            final_folder: final_folder.to_owned(),
        }));
        night.outbound = Arc::new(rigged.clone());
        rigged
    }

    /// What was asked of the house: `create NAME`, `rename NAME`, `unlink NAME`, `connect`.
    pub fn calls(&self) -> Vec<String> {
        self.0.calls.lock().expect("not poisoned").clone()
    }
}

impl Rig {
    fn note(&self, call: String) {
        self.calls.lock().expect("not poisoned").push(call);
    }

    fn trick(&self) -> Trick {
        *self.trick.lock().expect("not poisoned")
    }

    fn set(&self, trick: Trick) {
        *self.trick.lock().expect("not poisoned") = trick;
    }
}

impl Outbound for Rigged {
    fn sealer(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Arc<Sealer>, Reason> {
        self.0.inner.sealer(terms, at)
    }

    fn connect(&self, terms: &Terms) -> Result<Box<dyn Remote>, DeliveryError> {
        if self.0.only.as_deref().is_some_and(|only| only != terms.manufacturer.code.as_str()) {
            return self.0.inner.connect(terms);
        }
        self.0.note("connect".to_owned());
        let inner = self.0.inner.connect(terms)?;
        let mut remote = RiggedRemote { inner, rig: Arc::clone(&self.0) };
        remote.meddle(Step::Connect, Place::FinalFolder)?;
        Ok(Box::new(remote))
    }

    fn patience(&self, terms: &Terms) -> Patience {
        let patience = self.0.inner.patience(terms);
        let pause = Duration::from_millis(1);
        Patience { attempts: self.0.attempts, first: pause, longest: pause, ..patience }
    }
}

#[derive(Debug)]
struct RiggedRemote {
    inner: Box<dyn Remote>,
    rig: Arc<Rig>,
}

impl RiggedRemote {
    fn meddle(&mut self, step: Step, place: Place<'_>) -> Result<(), DeliveryError> {
        match self.rig.trick() {
            Trick::Refuse(at, refusal) if at == step => Err(self.inner.refused(step, place, refusal)),
            Trick::Lose(at, times) if at == step && times > 0 => {
                self.rig.set(Trick::Lose(at, times - 1));
                Err(self.lost(step, place))
            }
            Trick::Die(at) if at == step => panic!("the process dies at {step}, as the test wants"),
            Trick::RefuseFile(1) if step == Step::Create => {
                Err(self.inner.refused(step, place, Refusal::PermissionDenied))
            }
            Trick::RefuseFile(number) if step == Step::Create => {
                self.rig.set(Trick::RefuseFile(number - 1));
                Ok(())
            }
            Trick::StopAt(at) if at == step => {
                self.rig.stop.store(true, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn lost(&self, step: Step, place: Place<'_>) -> DeliveryError {
        DeliveryError::Lost {
            destination: self.inner.name().to_owned(),
            step,
            subject: self.inner.path(place),
            reason: "the line went dead".to_owned(),
        }
    }
}

impl Remote for RiggedRemote {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn path(&self, place: Place<'_>) -> String {
        self.inner.path(place)
    }

    fn stat(&mut self, place: Place<'_>) -> Result<Seen, DeliveryError> {
        self.meddle(Step::Stat, place)?;
        self.inner.stat(place)
    }

    fn allow(&mut self, deadline: Duration) {
        self.inner.allow(deadline);
    }

    fn create(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.rig.note(format!("create {temporary_name}"));
        self.meddle(Step::Create, Place::Temporary(temporary_name))?;
        self.inner.create(temporary_name)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliveryError> {
        self.meddle(Step::Write, Place::TemporaryFolder)?;
        self.inner.write(bytes)
    }

    fn close(&mut self) -> Result<(), DeliveryError> {
        self.meddle(Step::Close, Place::TemporaryFolder)?;
        self.inner.close()
    }

    fn set_mode(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.inner.set_mode(temporary_name)
    }

    fn rename(&mut self, temporary_name: &str, final_name: &str) -> Result<(), DeliveryError> {
        self.rig.note(format!("rename {final_name}"));
        let place = Place::Final(final_name);
        self.meddle(Step::Rename, place)?;
        self.inner.rename(temporary_name, final_name)?;
        let trick = self.rig.trick();
        if matches!(trick, Trick::Greedy | Trick::GreedyAndLost) {
            let _ = std::fs::remove_file(self.rig.final_folder.join(final_name));
        }
        if matches!(trick, Trick::LoseRenameAnswer | Trick::GreedyAndLost) {
            self.rig.set(Trick::None);
            return Err(self.lost(Step::Rename, place));
        }
        Ok(())
    }

    fn unlink(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        self.rig.note(format!("unlink {temporary_name}"));
        self.meddle(Step::Unlink, Place::Temporary(temporary_name))?;
        self.inner.unlink(temporary_name)
    }

    fn mode(&mut self, temporary_name: &str) -> Result<Option<u32>, DeliveryError> {
        self.inner.mode(temporary_name)
    }

    fn free_bytes(&mut self) -> Result<Option<u64>, DeliveryError> {
        self.inner.free_bytes()
    }

    fn cut(&mut self) {
        self.inner.cut();
    }
}
