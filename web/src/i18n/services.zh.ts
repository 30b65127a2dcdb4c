export const services = {
  'title': '办事',
} satisfies Record<string, string>;
