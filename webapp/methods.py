"""What is read can be read by GET and by HEAD (RFC 9110, section 9.1): Litestar's `get` takes GET alone."""

from litestar import HttpMethod

READ = [HttpMethod.GET, HttpMethod.HEAD]
