//! A real nginx in front of the server, set as README says.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An nginx that runs. Dropping it ends it.
pub struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    pub address: String,
}

impl Nginx {
    /// Stands in front of `origin`.
    pub fn start(origin: &str) -> Self {
        // Between asking for a free port and nginx taking it, somebody else may.
        (0..5).find_map(|_| Self::try_start(origin)).expect("nginx listens")
    }

    fn try_start(origin: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let config = CONFIG.replace("ORIGIN", origin).replace("ADDRESS", &address);
        std::fs::write(folder.path().join("nginx.conf"), config).expect("a written file");
        let path = std::env::var("PATH").unwrap_or_default();
        let child = Command::new("nginx")
            .env("PATH", format!("{path}:/usr/sbin"))
            .arg("-p")
            .arg(folder.path())
            .args(["-e", "error.log", "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let mut nginx = Self { child, folder, address };
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && nginx.child.try_wait().expect("its state").is_none() {
            if TcpStream::connect(&nginx.address).is_ok() {
                return Some(nginx);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("nginx: {}", nginx.errors());
        None
    }

    /// The requests that nginx has read, as it has read them, a line each.
    pub fn requests(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connections to the server are kept and used for several clients: where one request could become
/// two, the second would be somebody else's.
const CONFIG: &str = "
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 512; }
http {
    log_format target '$request';
    access_log access.log target;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream audiomill { server ORIGIN; keepalive 1; }
    server {
        listen ADDRESS;
        client_max_body_size 0;
        location / {
            proxy_pass http://audiomill;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_read_timeout 100s;
        }
    }
}
";
