//! Seaworthy, if `PLIMSOLL_SEAWORTHY_PYTHON` names the Python of a virtual environment with
//! `seaworthy==0.4.2 docker==3.7.3 requests==2.28.2 urllib3==1.26.20` (Python 3.11 at most).

use std::process::Command;
use std::time::Duration;

use crate::{NODES, script};

const PYTHON: &str = "PLIMSOLL_SEAWORTHY_PYTHON";

/// Starts each definition in turn, as Seaworthy's fixtures do, and prints the seconds.
const PROGRAM: &str = r"
import sys, time
from seaworthy.definitions import ContainerDefinition
from seaworthy.helpers import DockerHelper
image, rounds, scripts = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
for number in range(rounds):
    helper = DockerHelper(namespace='plimsoll_bench_%d' % number)
    nodes = [ContainerDefinition('n%d' % at, image, wait_patterns=[r'ready'], helper=helper,
                                 create_kwargs={'command': ['sh', '-c', script]})
             for at, script in enumerate(scripts)]
    try:
        begun = time.monotonic()
        for node in nodes:
            node.setup(fetch_image=False)
        print(time.monotonic() - begun)
    finally:
        for container in helper.containers.list() if hasattr(helper.containers, 'list') else []:
            container.kill()
        helper.teardown()
";

pub(crate) fn stack(image: &str, rounds: usize) -> Result<Vec<Duration>, String> {
    let python = std::env::var_os(PYTHON).ok_or_else(|| format!("{PYTHON} is not set"))?;
    let output = Command::new(python)
        .args(["-c", PROGRAM, image, &rounds.to_string()])
        .args(NODES.map(|(_, tenths, _)| script(tenths)))
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines
        .lines()
        .map(|line| line.parse().map(Duration::from_secs_f64))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{error}: {lines}"))
}
