/** Every error's body in the description of the API: RFC 9457, with its own media type. */
export const problemContent = {
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        properties: {
          type: { type: 'string', example: 'urn:paradoxon:error:film_not_found' },
          title: { type: 'string' },
          status: { type: 'integer' },
          code: { type: 'string', description: 'Stable; docs/errors.md has all of them.', example: 'FILM_NOT_FOUND' },
          detail: { type: 'string' },
          details: { description: 'More, for some codes.' },
        },
        required: ['type', 'title', 'status', 'code', 'detail'],
      },
    },
  },
};
