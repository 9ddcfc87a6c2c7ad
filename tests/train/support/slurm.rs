//! A Slurm of one node for a test: its own munge, controller and daemon in a temporary folder, ended
//! with the test.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long daemons may take to answer, and jobs to end, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running cluster.
pub struct Cluster {
    daemons: Vec<Child>,
    config: PathBuf,
}

impl Cluster {
    /// Starts one in `folder`, or says why it cannot.
    pub fn start(folder: &Path) -> Result<Self, String> {
        if text(Command::new("id").arg("-u"))? != "0" {
            return Err("slurmd needs root to start jobs".into());
        }
        let host = text(Command::new("uname").arg("-n"))?;
        let host = host.split('.').next().unwrap_or_default().to_owned();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let key = folder.join("munge.key");
        let socket = folder.join("munge.socket");
        let written = |path: &Path, bytes: &[u8]| {
            std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
        };
        // Only this cluster uses the key, and only as long as the test runs.
        let secret: Vec<u8> = (0..1024_u32).map(|i| (i * 167 % 251) as u8).collect();
        written(&key, &secret)?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, private).map_err(|error| error.to_string())?;
        // munged wants its socket's folder to be open to all and not writable by others.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder, open).map_err(|error| error.to_string())?;
        let place = folder.display();
        let ports = free_ports()?;
        let config = folder.join("slurm.conf");
        written(
            &config,
            format!(
                "ClusterName=parseye-test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\n\
                 SlurmctldPort={}\nSlurmdPort={}\nAuthType=auth/munge\nCryptoType=crypto/munge\n\
                 AuthInfo=socket={}\nStateSaveLocation={place}/state\nSlurmdSpoolDir={place}/spool\n\
                 SlurmctldPidFile={place}/ctld.pid\nSlurmdPidFile={place}/d.pid\n\
                 SlurmctldLogFile={place}/ctld.log\nSlurmdLogFile={place}/d.log\n\
                 ProctrackType=proctrack/pgid\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n\
                 SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nReturnToService=2\nMpiDefault=none\n\
                 SchedulerParameters=sched_interval=1\nMailProg=/bin/true\n\
                 NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN\n\
                 PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP\n",
                ports[0],
                ports[1],
                socket.display(),
            )
            .as_bytes(),
        )?;
        for name in ["state", "spool"] {
            std::fs::create_dir_all(folder.join(name)).map_err(|error| error.to_string())?;
        }
        let mut cluster = Self {
            daemons: Vec::new(),
            config,
        };
        cluster.daemon(
            Command::new("munged")
                .args(["--foreground", "--force"])
                .arg(format!("--key-file={}", key.display()))
                .arg(format!("--socket={}", socket.display()))
                .arg(format!("--pid-file={place}/munge.pid"))
                .arg(format!("--log-file={place}/munge.log"))
                .arg(format!("--seed-file={place}/munge.seed")),
        )?;
        until("munged", || socket.exists())?;
        let config = cluster.config.clone();
        cluster.daemon(Command::new("slurmctld").arg("-D").arg("-f").arg(&config))?;
        cluster.daemon(
            Command::new("slurmd")
                .arg("-D")
                .arg("-N")
                .arg(&host)
                .arg("-f")
                .arg(&config),
        )?;
        let idle = || {
            text(
                cluster
                    .with(&mut Command::new("sinfo"))
                    .args(["-h", "-o", "%T"]),
            )
            .is_ok_and(|states| states == "idle")
        };
        until("slurmctld and slurmd", idle).map_err(|error| {
            let tail = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            format!("{error}\n{}\n{}", tail("ctld.log"), tail("d.log"))
        })?;
        Ok(cluster)
    }

    fn daemon(&mut self, command: &mut Command) -> Result<(), String> {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        self.daemons.push(child);
        Ok(())
    }

    /// A command that talks to this cluster.
    fn with<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SLURM_CONF", &self.config)
    }

    /// Runs a script that submits; the lines it prints.
    pub fn submit(&self, command: &mut Command) -> Vec<String> {
        let lines = text(self.with(command)).unwrap();
        lines.lines().map(str::to_owned).collect()
    }

    /// Waits until no job is left.
    pub fn wait(&self) {
        let none = || {
            text(self.with(&mut Command::new("squeue")).arg("-h")).is_ok_and(|jobs| jobs.is_empty())
        };
        until("the jobs", none).unwrap();
    }

    /// What the tasks printed, for the message of a failed test.
    pub fn states(&self, logs: &Path) -> String {
        let files = std::fs::read_dir(logs)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .map(|path| std::fs::read_to_string(path).unwrap_or_default())
            .collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Last started, first ended; each is a process that this test started.
        for daemon in self.daemons.iter_mut().rev() {
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

fn text(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn until(what: &str, is_so: impl Fn() -> bool) -> Result<(), String> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{what} did not get there within {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Two ports that nobody listens on just now.
fn free_ports() -> Result<[u16; 2], String> {
    let bind = || std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string());
    let listeners = [bind()?, bind()?];
    let port = |listener: &std::net::TcpListener| {
        listener
            .local_addr()
            .map(|address| address.port())
            .map_err(|error| error.to_string())
    };
    Ok([port(&listeners[0])?, port(&listeners[1])?])
}
