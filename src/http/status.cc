#include "http/status.h"

namespace skerry::http {

int status_of(Code code) {
    switch (code) {
    case Code::invalid:
        return 422;
    case Code::not_found:
        return 404;
    case Code::exists:
        return 409;
    case Code::conflict:
        return 409;
    case Code::gone:
        return 410;
    case Code::forbidden:
        return 403;
    case Code::unauthenticated:
        return 401;
    case Code::unavailable:
        return 503;
    case Code::exhausted:
        return 429;
    case Code::timeout:
        return 504;
    case Code::unsupported:
        return 501;
    case Code::corrupt:
        return 500;
    case Code::cancelled:
        return 499;
    case Code::internal:
        return 500;
    }
    return 500;
}

Code code_of(int status) {
    switch (status) {
    case 400:
    case 405:
    case 406:
    case 415:
    case 422:
        return Code::invalid;
    case 401:
        return Code::unauthenticated;
    case 403:
        return Code::forbidden;
    case 404:
        return Code::not_found;
    case 408:
    case 504:
        return Code::timeout;
    case 409:
    case 412:
        return Code::conflict;
    case 410:
        return Code::gone;
    case 413:
    case 429:
    case 507:
        return Code::exhausted;
    case 499:
        return Code::cancelled;
    case 501:
        return Code::unsupported;
    case 502:
    case 503:
        return Code::unavailable;
    default:
        return Code::internal;
    }
}

std::string_view reason_of(int status) {
    switch (status) {
    case 100:
        return "Continue";
    case 101:
        return "Switching Protocols";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 206:
        return "Partial Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 411:
        return "Length Required";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 416:
        return "Range Not Satisfiable";
    case 422:
        return "Unprocessable Content";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 499:
        return "Client Closed Request";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 507:
        return "Insufficient Storage";
    default:
        return "";
    }
}

} // namespace skerry::http
