//! Bodies that are read from files while they are sent, and again for each attempt: files and forms.

pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod form;
mod writer;

use std::sync::Arc;

use http::header;

use crate::model::error::{Error, ErrorKind};
use crate::model::request::Request;
use file::FileBody;
use form::Form;

impl Request {
    /// Sets a form as the body, and its `Content-Type` with the boundary. The form's files are read while
    /// it is sent, and again for each attempt, so it can be retried, hedged and redirected.
    ///
    /// ```
    /// use fetch_driver::{Form, Part, Request};
    ///
    /// let report = Part::bytes("a,b\n1,2\n").file_name("report.csv").media_type("text/csv");
    /// let form = Form::new().text("title", "Report").part("file", report);
    /// let request = Request::post("https://a.test/reports")?.multipart(form)?;
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a file of the form cannot be read, or if a media type or a header field of a part is not valid.
    #[cfg_attr(docsrs, doc(cfg(feature = "multipart")))]
    pub fn multipart(mut self, form: Form) -> Result<Self, Error> {
        let body = form.into_body().map_err(|error| self.invalid_body(error))?;
        self.headers
            .insert(header::CONTENT_TYPE, body.content_type().clone());
        Ok(self.body_source(Arc::new(body)))
    }

    /// Sets a file as the body. It is read while it is sent, and again for each attempt, so it can be
    /// retried, hedged and redirected. Sets no `Content-Type`.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("film.mp4");
    /// # std::fs::write(&path, "film")?;
    /// let request = fetch_driver::Request::put("https://a.test/film.mp4")?.body_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`FileBody::open`].
    #[cfg_attr(docsrs, doc(cfg(feature = "multipart")))]
    pub fn body_file(self, path: impl Into<std::path::PathBuf>) -> Result<Self, Error> {
        let body = FileBody::open(path).map_err(|error| self.invalid_body(error))?;
        Ok(self.body_source(Arc::new(body)))
    }

    fn invalid_body(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::rejected(ErrorKind::InvalidBody, &self.text, &error).with_source(Arc::new(error))
    }
}
