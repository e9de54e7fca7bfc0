select 'ana@example.com' as email
