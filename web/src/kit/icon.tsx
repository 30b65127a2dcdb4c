// Line icons, 24 px, drawn with the text's colour; always beside words, or with a label of their own button.
const PATHS = {
  search: <><circle cx="11" cy="11" r="6.5" /><path d="M16 16l4.5 4.5" /></>,
  here: <><circle cx="12" cy="12" r="6" /><path d="M12 2.500V6M12 18v3.500M2.500 12H6M18 12h3.500" /></>,
  layers: <path d="M12 4l8.500 4.500L12 13 3.500 8.500zM3.500 13L12 17.500 20.500 13" />,
  bolt: <path d="M13 3L6 13.500h5L10.500 21 18 10h-5z" />,
  wheelchair: <><circle cx="10.500" cy="4.500" r="1.500" /><path d="M10.500 8v6h5l3 5.500M10.500 10.500h4" /><path d="M8.500 11.500a4.700 4.700 0 1 0 5.800 6.200" /></>,
  height: <path d="M5 4h14M12 8v12M8.500 11.500L12 8l3.500 3.500M8.500 16.500L12 20l3.500-3.500" />,
  phone: <path d="M6 3.500h3l1.500 4.500-2 1.500a11 11 0 0 0 6 6l1.500-2 4.500 1.500v3c0 1-.8 2-2 2C10.500 20 4 13.500 4 5.500c0-1.200 1-2 2-2z" />,
  back: <path d="M15 5l-7 7 7 7" />,
  next: <path d="M9 5l7 7-7 7" />,
  share: <path d="M12 15V4M8 7.500L12 4l4 3.500M6 12H5v8h14v-8h-1" />,
  walk: <><circle cx="12.500" cy="4.500" r="1.600" /><path d="M12 8.500l-2 5 3 3 1 4.500M10 13.500L8.500 20M12 8.500l3 3h2.500M12 8.500l-3.500 2-.8 2.800" /></>,
  bell: <path d="M6 16.500V11a6 6 0 0 1 12 0v5.500l1.500 1.500h-15zM10 20.500h4" />,
  wallet: <><circle cx="12" cy="12" r="8.500" /><path d="M8.500 7.500L12 12l3.500-4.500M12 12v5.500M9 13h6M9 15.500h6" /></>,
  warning: <path d="M12 4l9 16H3zM12 10v5M12 17.500v.3" />,
  shield: <><path d="M12 3l7.500 3v5.500c0 4.500-3 7.800-7.500 9.500-4.500-1.700-7.500-5-7.500-9.500V6z" /><path d="M8.500 12l2.500 2.500 4.500-5" /></>,
  park: <><path d="M3 20V6M9 20V6M15 20V6M21 20V6M3 20h18" /><path d="M10.8 17V9h2.4v8z" fill="currentColor" /></>,
  car: <path d="M4 16v-3.2l2-5.3A2 2 0 0 1 7.9 6.2h8.2A2 2 0 0 1 18 7.5l2 5.3V16M4 16h16v3h-3v-3M4 16v3h3v-3M5 12.500h14" />,
  services: <path d="M4 20h16M6 20V10M10 20V10M14 20V10M18 20V10M3.5 10h17L12 4z" />,
  person: <><circle cx="12" cy="8" r="3.6" /><path d="M4.5 20c.8-4 3.8-6 7.5-6s6.700 2 7.500 6" /></>,
  lock: <path d="M6.500 11h11v9h-11zM8.500 11V8a3.500 3.500 0 0 1 7 0v3" />,
  clock: <><circle cx="12" cy="12" r="8.500" /><path d="M12 7v5l3.500 2" /></>,
  plus: <path d="M12 5v14M5 12h14" />,
  cross: <path d="M6 6l12 12M18 6L6 18" />,
  check: <path d="M5 12.500l4.500 4.500L19 7.500" />,
  go: <path d="M4 11.500L20 4l-7.500 16-2-6.500z" />,
  bill: <path d="M6 3.500h12v17l-2-1.500-2 1.500-2-1.500-2 1.500-2-1.500-2 1.500zM9 8h6M9 12h6" />,
  eye: <><path d="M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12z" /><circle cx="12" cy="12" r="2.800" /></>,
  letter: <path d="M6.500 3.500h8l4 4v13h-12zM14 3.500V8h4.500M9 12h6.500M9 15.500h6.500" />,
  pen: <path d="M4 20l1-4.500L16.500 4l3.500 3.500L8.500 19zM14 6.500l3.500 3.500" />,
  child: <><circle cx="12" cy="8" r="4.500" /><path d="M10.500 8v.2M13.500 8v.2M10.500 10c1 .8 2 .8 3 0M7 20c0-4 2-6 5-6s5 2 5 6" /></>,
  school: <path d="M2.500 9L12 5l9.500 4L12 13zM6.500 11v5c3.500 2.500 7.500 2.500 11 0v-5M21.500 9v6" />,
  home: <path d="M4 11l8-7 8 7v9h-5v-6H9v6H4z" />,
  company: <path d="M4 9l1.500-5h13L20 9M4 9v11h16V9M4 9c0 2 4 2 4 0 0 2 4 2 4 0 0 2 4 2 4 0 0 2 4 2 4 0M10 20v-5h4v5" />,
  health: <path d="M12 20S4 15 4 9.200A4.200 4.200 0 0 1 12 7a4.200 4.200 0 0 1 8 2.200C20 15 12 20 12 20z" />,
  out: <path d="M10 4H5v16h5M14 8l4 4-4 4M18 12H9" />,
} as const;

export type IconName = keyof typeof PATHS;
export const isIcon = (name: string): name is IconName => name in PATHS;

export const Icon = ({ name, class: extra }: { name: IconName; class?: string }) => (
  <svg class={`ico ${extra ?? ''}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">{PATHS[name]}</svg>
);

export const Mark = () => (
  <svg viewBox="0 0 28 28" aria-hidden="true">
    <rect width="28" height="28" rx="6" fill="var(--blue-fill)" />
    <rect x="2.500" y="2.500" width="23" height="23" rx="4" fill="none" stroke="#fff" stroke-opacity=".6" />
    <path d="M7 8v13M11.700 8v13M16.400 8v13M21 8v13M6 21h16" stroke="#fff" stroke-width="1.600" fill="none" />
    <path d="M13 9.500h2.100v9.500H13z" fill="#fff" />
  </svg>
);
