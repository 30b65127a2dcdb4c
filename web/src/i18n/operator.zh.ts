export const operator = {
  'title': '运营',
} satisfies Record<string, string>;
