"""Where a site's data live: a file, a folder of files, or a query to a database.

``data`` in ``site.toml`` is a path, or a table ``[data]`` with the settings of ``SqlSource``. No
secret stands there: a password lies in a file of its own or in the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from privacy.checks import check_one_line
from privacy.secret_files import read_secret
from synthesis import InputError
from synthesis.sql_engine import SqlQuery, parse_url

if TYPE_CHECKING:
    import pyarrow as pa

    from synthesis.cells import Names

__all__ = ["Data", "SqlSource", "check_path", "dataset_of", "read_parts"]

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]

_HIDDEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_SECRETS = {"password", "sslpassword", "user", "username", "passfile"}


class SqlSource(BaseModel):
    """The table ``[data]`` of ``site.toml``; it holds no secret.

    Attributes:
        url: the database, without user and password.
        query: one SELECT (or WITH ... SELECT); its columns are those of the schema.
        dataset: the public name that stands in the ledger.
        user: who logs in.
        password_file: a file with the password, open to its owner alone; from the site's folder.
        user_env: the environment variable that holds the user.
        password_env: the environment variable that holds the password.
        connect_timeout_s: longest wait for a connection.
        statement_timeout_s: longest wait for the records, from the first to the last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    url: str
    query: str
    dataset: Annotated[str, Field(min_length=1, max_length=100)]
    user: Annotated[str, Field(min_length=1)] | None = None
    password_file: Annotated[str, Field(min_length=1)] | None = None
    user_env: Variable | None = None
    password_env: Variable | None = None
    connect_timeout_s: Seconds = 10.0
    statement_timeout_s: Seconds = 600.0

    @field_validator("url")
    @classmethod
    def _check_url(cls, text: str) -> str:
        url = parse_url(text)
        if url.username or url.password or _SECRETS & set(url.query):
            raise ValueError(
                "url must hold neither user nor password; name the user in 'user' and put the "
                "password into the file that 'password_file' names"
            )
        if url.get_backend_name() == "sqlite" and (not url.database or url.query):
            raise ValueError("url must name the file alone, like 'sqlite:///file.db'")
        return check_one_line(text, name="it")

    @field_validator("query")
    @classmethod
    def _check_query(cls, text: str) -> str:
        bare = _HIDDEN.sub(" ", text).strip().removesuffix(";").rstrip()
        if ";" in bare or not re.match(r"(select|with)\b", bare, re.IGNORECASE):
            raise ValueError("query must be one statement that begins with SELECT or WITH")
        return text.strip().removesuffix(";")

    @field_validator("dataset")
    @classmethod
    def _check_dataset(cls, text: str) -> str:
        return check_one_line(text, name="it")

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        for one, other in (("user", "user_env"), ("password_file", "password_env")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"only one of {one} and {other} may be given")
        has_user = self.user is not None or self.user_env is not None
        has_password = self.password_file is not None or self.password_env is not None
        if has_password and not has_user:
            raise ValueError("user or user_env must be given with a password")
        if has_user and self.url.startswith("sqlite"):
            raise ValueError("an SQLite file has no user; leave user and password out")
        return self

    def to_query(self, folder: Path) -> SqlQuery:
        """Return the question with its credentials, fetched now; paths are from ``folder``.

        Raises:
            InputError: if a credential is not where it should be.
        """
        url = parse_url(self.url)
        if url.get_backend_name() == "sqlite":
            url = url.set(database=str(folder / str(url.database)))
        user = self.user or _from_environment("user_env", self.user_env)
        password = _from_environment("password_env", self.password_env)
        if self.password_file is not None:
            password = _read_password(folder / self.password_file)
        return SqlQuery(
            url=url.render_as_string(),
            query=self.query,
            user=user,
            password=password,
            connect_timeout_s=self.connect_timeout_s,
            statement_timeout_s=self.statement_timeout_s,
        )


def _kind_of(data: Any) -> str:
    return "sql" if isinstance(data, (Mapping, SqlSource)) else "file"


Data = Annotated[
    Annotated[str, Tag("file")] | Annotated[SqlSource, Tag("sql")], Discriminator(_kind_of)
]


def check_path(text: str) -> str:
    """Raise ValueError unless a text can be the path of data; a URL, with what it may hold, not."""
    if "://" in text:
        raise ValueError(
            "data must be a path; a database goes into a table [data] with url, query and dataset"
        )
    return check_one_line(text, name="it")


def dataset_of(data: str | SqlSource) -> str:
    """Return the public name of the data set; a ledger does not tell where the data lie."""
    return data.dataset if isinstance(data, SqlSource) else Path(data).name


def read_parts(
    data: str | SqlSource, folder: Path, needed: Names = None
) -> Generator[pa.RecordBatch, None, None]:
    """Yield a site's records, part by part, as the source gives them; at least one batch.

    Args:
        data: what ``site.toml`` says.
        folder: the site's, which relative paths start from.
        needed: columns to keep.

    Raises:
        InputError: if what was given must be mended.
        SourceUnavailable: if the data are out of reach for now.
    """
    # Most of what a site does reads no record and must not wait for pandas.
    if isinstance(data, SqlSource):
        from synthesis.sql_records import read_query_batches

        return read_query_batches(data.to_query(folder), needed)
    from synthesis.record_sources import read_batches

    return read_batches(folder / data, needed)


def _from_environment(setting: str, variable: str | None) -> str | None:
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise InputError(
            f"the environment variable that {setting} names must be set, and it is not",
            argument=setting,
        )
    return value


def _read_password(path: Path) -> str:
    try:
        password = read_secret(path).decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        password = ""
    except ValueError as error:
        raise InputError(f"password_file: {error}.", argument="password_file") from None
    if not password or len(password.splitlines()) != 1:
        raise InputError(
            "password_file must hold the password on its first and only line",
            argument="password_file",
        )
    return password
