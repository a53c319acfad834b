import { useEffect, useState } from 'preact/hooks';

export type Theme = 'light' | 'dark';
const key = 'trace-host-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function chosen(): Theme | undefined {
  const stored = localStorage.getItem(key);
  return stored === 'light' || stored === 'dark' ? stored : undefined;
}

function current(): Theme {
  return chosen() ?? (system.matches ? 'dark' : 'light');
}

function show(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
}

show(current());

/** The theme: the system's until the user chooses one. */
export function useTheme(): [theme: Theme, toggle: () => void] {
  const [theme, setTheme] = useState(current);
  useEffect(() => {
    const follow = (): void => setTheme(current());
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, []);
  useEffect(() => show(theme), [theme]);
  const toggle = (): void => {
    const next = theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem(key, next);
    show(next);
    setTheme(next);
  };
  return [theme, toggle];
}
