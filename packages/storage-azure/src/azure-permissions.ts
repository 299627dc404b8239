/** What an operation needs, in the three languages that Azure has for it. */
export interface Permission {
  /** Letters of a SAS token. */
  readonly sas: string;
  /** Data action of a role. */
  readonly action: string;
}

const BLOBS = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';

export const PERMISSIONS: Readonly<Record<string, Permission>> = {
  put: { sas: 'w', action: `${BLOBS}/write and ${BLOBS}/add/action` },
  open: { sas: 'r', action: `${BLOBS}/read` },
  head: { sas: 'r', action: `${BLOBS}/read` },
  delete: { sas: 'd', action: `${BLOBS}/delete` },
  list: { sas: 'l', action: `${BLOBS}/read` },
  sweepIncomplete: { sas: 'l and d', action: `${BLOBS}/read and ${BLOBS}/delete` },
  resolveUrl: { sas: 'r', action: 'Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action' },
  check: { sas: 'r and l', action: `${BLOBS}/read` },
};

/** The sentence for somebody whose credentials may not do this. */
export function permissionAdvice(operation: string): string {
  const { sas, action } = PERMISSIONS[operation] ?? PERMISSIONS['check'] ?? { sas: '', action: '' };
  return (
    `A SAS token needs the permission ${sas}; a user, app or managed identity needs the role Storage Blob Data ` +
    `Contributor on the container or the account (action ${action}). A new role takes up to ten minutes to apply`
  );
}
