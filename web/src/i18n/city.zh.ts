export const city = {
  'title': '城市',
} satisfies Record<string, string>;
