select 1 as id, 'ana@example.com' as email
