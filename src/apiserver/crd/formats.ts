// SPDX-License-Identifier: Apache-2.0
// The string formats that OpenAPI schemas of custom resources may name, as upstream's strfmt registry checks them. A format that is
// not known is not checked. @source kube-openapi pkg/validation/strfmt
import { isIPv4, isIPv6 } from 'node:net';
import { checkDns1035Label, checkDns1123Label, checkDns1123Subdomain, parseTime } from '#machinery';

type Check = (text: string) => boolean;

const UUID = '[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}';
const uuidOf = (version: string, variant = '[0-9a-f]') =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i');
const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

// Every pattern is written so that a text is read one way only: an ambiguous repetition takes exponential time to refuse a hostile one.
const HOSTNAME =
  /^([a-zA-Z0-9\u00a1-\u{10ffff}][a-zA-Z0-9\u00a1-\u{10ffff}-]*\.)*[a-zA-Z0-9\u00a1-\u{10ffff}]{1,62}(-[a-zA-Z0-9\u00a1-\u{10ffff}]+)*\.?$/u;
const MAC = /^([0-9a-f]{2}([:-])[0-9a-f]{2}(\2[0-9a-f]{2}){4}((\2[0-9a-f]{2}){2})?|([0-9a-f]{4}\.){2,3}[0-9a-f]{4})$/i;
const COLOR_PART = '\\s*(?:0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*';

const CHECKS: Readonly<Record<string, Check>> = {
  datetime: isDateTime,
  date: isDate,
  duration: isDuration,
  byte: isBase64,
  uri: isRequestUri,
  email: isEmail,
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: isCidr,
  mac: matches(MAC),
  uuid: matches(new RegExp(`^${UUID}$`, 'i')),
  uuid3: matches(uuidOf('3')),
  uuid4: matches(uuidOf('4', '[89ab]')),
  uuid5: matches(uuidOf('5', '[89ab]')),
  bsonobjectid: matches(/^[0-9a-f]{24}$/i),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(new RegExp(`^rgb\\(${COLOR_PART},${COLOR_PART},${COLOR_PART}\\)$`)),
  password: () => true,
  k8sshortname: (text) => checkDns1123Label(text).length === 0,
  k8slongname: (text) => checkDns1123Subdomain(text).length === 0,
  k8slabel1035: (text) => checkDns1035Label(text).length === 0,
};

/** The check of a format; undefined where it is not known. Hyphens in the name make no difference. */
export function formatCheck(format: string): Check | undefined {
  const name = format.replaceAll('-', '');
  return Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined;
}

/** RFC 3339, with the looser forms that upstream takes. */
function isDateTime(text: string): boolean {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):?(\d{2}):?(\d{2})?([.,]\d+)?(Z|[+-]\d{2}:?\d{2})$/i.exec(text);
  if (match === null) return false;
  const [, day = '', hour = '', minute = '', second = '00', , zone = 'Z'] = match;
  const offset = /^z$/i.test(zone) ? 'Z' : zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  return isTime(`${day}T${hour}:${minute}:${second}${offset}`);
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && isTime(`${text}T00:00:00Z`);
}

function isTime(text: string): boolean {
  try {
    parseTime(text);
    return true;
  } catch {
    return false;
  }
}

/** Go's durations, and the words of Scala's: `1h30m`, `3 days`. */
function isDuration(text: string): boolean {
  if (/^[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|\u03bcs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|\u03bcs|ms|s|m|h))*)$/.test(text)) return true;
  const words =
    'nanoseconds?|nanos?|microseconds?|micros?|milliseconds?|millis?|seconds?|minutes?|hours?|days?|weeks?|ns|us|µs|ms|secs?|s|mins?|m|hrs?|h|hours?|d|wk?|w';
  return new RegExp(`^(\\d+\\s*(${words})\\s*)+$`, 'i').test(text.trim());
}

function isBase64(text: string): boolean {
  return /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.replace(/[\r\n]/g, ''));
}

/** An absolute URL, or an absolute path. */
function isRequestUri(text: string): boolean {
  if (text.startsWith('/')) return !/\s|\p{Cc}/u.test(text) && !/%(?![0-9a-fA-F]{2})/.test(text);
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:\S+$/.test(text) && URL.canParse(text);
}

function isEmail(text: string): boolean {
  const address = /^[^<>]*<([^<>]+)>$/.exec(text)?.[1] ?? text;
  return /^[^\s@."(),:;<>[\]\\]+(\.[^\s@."(),:;<>[\]\\]+)*@[^\s@]+$/.test(address) || /^"[^"]+"@[^\s@]+$/.test(address);
}

function isHostname(text: string): boolean {
  return text.length <= 255 && HOSTNAME.test(text) && text.split('.').every((part) => part.length <= 63);
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits) || (bits.length > 1 && bits.startsWith('0'))) return false;
  return (isIPv4(address) && Number(bits) <= 32) || (isIPv6(address) && Number(bits) <= 128);
}

const digitsOf = (text: string) => text.replace(/[\s-]+/g, '');

function isIsbn10(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = [...digits].reduce((total, digit, index) => total + (10 - index) * (digit === 'X' ? 10 : Number(digit)), 0);
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

const CARD =
  /^(4\d{12}(\d{3})?|5[1-5]\d{14}|(222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|6(011|5\d\d)\d{12}|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11}|6[27]\d{14})$/;

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, '');
  if (!CARD.test(digits)) return false;
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
