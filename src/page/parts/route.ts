import { useEffect, useState } from 'preact/hooks';

export interface Route {
  readonly view: string;
  /** The recording. */
  readonly id: string | undefined;
  readonly query: URLSearchParams;
}

/** Reads `#/view/id?query`. */
export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view = '', id] = path.split('/');
  return {
    view: view === '' ? 'now' : view,
    id: id === undefined || id === '' ? undefined : decoded(id),
    query: new URLSearchParams(query),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function hashOf(view: string, id?: string, query: Readonly<Record<string, string>> = {}): string {
  const path = id === undefined ? view : `${view}/${encodeURIComponent(id)}`;
  const rest = new URLSearchParams(query).toString();
  return `#/${path}${rest === '' ? '' : `?${rest}`}`;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = (): void => setRoute(routeOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}
