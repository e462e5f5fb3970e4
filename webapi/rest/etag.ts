/**
 * Entity tags of requests: RFC 9110 §8.8.3, §13.1.
 */
const TAG = /(W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;

type Header = string | string[] | undefined;

/** Whether `If-None-Match` names the tag (weak comparison). */
export function matchesTag(header: Header, etag: string): boolean {
  return tagsOf(header).some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag);
}

/**
 * The tag an `If-Match` demands, as one to compare with: undefined when it demands nothing or only that there is an entity. A weak tag matches nothing,
 * so it is passed on as it is.
 */
export function pickTag(header: Header, current: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const tags = tagsOf(header);
  if (tags.includes('*')) return undefined;
  return current !== undefined && tags.includes(current) ? current : (tags[0] ?? 'malformed');
}

function tagsOf(header: Header): readonly string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text.trim() === '*' ? ['*'] : (text.match(TAG) ?? []);
}
